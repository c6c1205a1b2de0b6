/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is told by flags and environment. */
#ifndef SANDFLEET_SANDBOXD_SETTINGS_H
#define SANDFLEET_SANDBOXD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/option/option.h"
#include "common/secret/secret.h"
#include "sandboxd/sandbox/isolation.h"

struct settings {
    char *listen, *data, *claude, *run_as, *isolation;
    struct opt_list connect_ports, egress_allow;
    char *egress_ca;
    int64_t memory_bytes, pids, file_bytes;
    bool unsafe;
    struct isolation_want want; /* what these ask for; settings_read() makes it */
    char *faults;
    char *log_level, *log_format;
    int64_t max_sandboxes;
    int64_t max_upload;
    struct secret *api_key;
    bool fault_endpoint;
    bool help, version, print_config;
};

extern const struct opt settings_rows[];
extern const size_t settings_n;

/* Reads and checks them, and sets the log up. ERR_USAGE, ERR_CONFIG. */
enum err_code settings_read(struct settings *s, int argc, char **argv, struct err *err) MUST_USE;
void settings_help(FILE *to);
void settings_release(struct settings *s);

#endif

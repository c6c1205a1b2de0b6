/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is told by flags and environment. */
#ifndef SANDFLEET_SANDBOXD_SETTINGS_H
#define SANDFLEET_SANDBOXD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"
#include "common/secret/secret.h"
#include "sandboxd/sandbox/isolation.h"

struct settings {
    char *listen, *data, *claude, *run_as, *isolation;
    struct opt_list connect_ports, egress_allow;
    char *egress_ca;
    int64_t memory_bytes, pids, file_bytes;
    bool unsafe;
    struct isolation_want want; /* what these ask for; settings_check() makes it */
    char *faults;
    int64_t max_sandboxes;
    int64_t max_upload;
    struct secret *api_key;
    bool fault_endpoint;
    struct program_common common;
};

extern const struct opt settings_rows[];
extern const size_t settings_n;
extern const char settings_usage[];

/* For struct program: what the rows do not say. ERR_USAGE, ERR_CONFIG. */
enum err_code settings_check(void *settings, const char *word, struct err *err) MUST_USE;

#endif

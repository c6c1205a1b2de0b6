/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is told by flags and environment. */
#ifndef SANDFLEET_SANDBOXD_SETTINGS_H
#define SANDFLEET_SANDBOXD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/option.h"
#include "common/secret.h"

struct settings {
    char *listen, *data, *claude, *run_as, *isolation;
    char *faults;
    char *log_level, *log_format;
    int64_t max_sandboxes;
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

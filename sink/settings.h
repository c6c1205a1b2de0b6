/* SPDX-License-Identifier: Apache-2.0 */
/* The sink's settings, one option row each. */
#ifndef SANDFLEET_SINK_SETTINGS_H
#define SANDFLEET_SINK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/option/option.h"

struct settings {
    char *brokers, *database, *prefix;
    char *kafka_config;
    struct opt_list kafka_props;
    char *log_level, *log_format;
    int64_t batch_rows, batch_bytes, batch_age_ms, offsets_check_ms, prefetch_bytes;
    bool rebuild; /* the word */
    bool accept_loss, log_user_data, print_config, help, version;
};

extern const struct opt settings_rows[];
extern const size_t settings_n;

/* Options, environment, log set-up. ERR_USAGE, ERR_CONFIG. */
enum err_code settings_read(struct settings *s, int argc, char **argv, struct err *err) MUST_USE;
void settings_help(FILE *to);
void settings_release(struct settings *s);

#endif

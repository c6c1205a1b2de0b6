/* SPDX-License-Identifier: Apache-2.0 */
/* The sink's settings, one option row each. */
#ifndef SANDFLEET_SINK_SETTINGS_H
#define SANDFLEET_SINK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"

struct settings {
    char *brokers, *database, *prefix;
    char *kafka_config;
    struct opt_list kafka_props;
    int64_t batch_rows, batch_bytes, batch_age_ms, offsets_check_ms, prefetch_bytes;
    bool rebuild; /* the word */
    bool accept_loss, log_user_data;
    struct program_common common;
};

extern const struct opt settings_rows[];
extern const size_t settings_n;
extern const char settings_usage[];

/* For struct program: what the rows do not say; the one word is rebuild. ERR_USAGE, ERR_CONFIG. */
enum err_code settings_check(void *settings, const char *word, struct err *err) MUST_USE;

#endif

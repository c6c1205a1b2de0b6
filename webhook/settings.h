/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of sandfleet-webhook, one option row each. */
#ifndef SANDFLEET_WEBHOOK_SETTINGS_H
#define SANDFLEET_WEBHOOK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"
#include "webhook/guard.h"

struct settings {
    char *brokers, *database, *prefix;
    char *kafka_config;
    struct opt_list kafka_props;
    char *key_file, *key_command; /* of the master keys */
    char *public_url, *ca_file;
    struct opt_list allow_nets;
    struct guard guard; /* of allow_nets */
    int64_t concurrency, per_endpoint, timeout_ms;
    int64_t retry_base_ms, retry_cap_ms, give_up_ms;
    int64_t lease_ms, poll_ms, keep_ms;
    char *metrics_listen; /* NULL: no pages */
    struct program_common common;
};

extern const struct opt settings_rows[];
extern const size_t settings_n;
extern const char settings_usage[];

/* For struct program: what the rows do not say. ERR_USAGE, ERR_CONFIG. */
enum err_code settings_check(void *settings, const char *word, struct err *err) MUST_USE;

#endif

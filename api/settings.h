/* SPDX-License-Identifier: Apache-2.0 */
/* The API's settings, one option row each. */
#ifndef SANDFLEET_API_SETTINGS_H
#define SANDFLEET_API_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"

struct settings {
    char *listen, *brokers, *database, *prefix;
    char *tls_cert, *tls_key; /* files; NULL: plain HTTP */
    char *kafka_config;
    struct opt_list kafka_props;
    char *spool;                 /* folder */
    char *anonymous;             /* tenant; NULL: keys are asked for */
    int64_t key_rate, key_burst; /* requests a second, and at once; key_rate 0: no limit */
    struct opt_list cors_origins;
    int64_t connections, streams, database_connections;
    int64_t query_ms, ack_ms, drain_ms, heartbeat_ms, idempotency_ms, request_ms;
    bool log_user_data;
    struct program_common common;
};

extern const struct opt api_settings_rows[];
extern const size_t api_settings_n;
extern const char api_settings_usage[];

/* For struct program: what the rows do not say. ERR_USAGE, ERR_CONFIG. */
enum err_code api_settings_check(void *settings, const char *word, struct err *err) MUST_USE;

#endif

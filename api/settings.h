/* SPDX-License-Identifier: Apache-2.0 */
/* The API's settings, one option row each. */
#ifndef SANDFLEET_API_SETTINGS_H
#define SANDFLEET_API_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/option/option.h"

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
    char *log_level, *log_format;
    bool log_user_data, print_config, help, version;
};

extern const struct opt api_settings_rows[];
extern const size_t api_settings_n;

/* Options, environment, log set-up. ERR_USAGE, ERR_CONFIG. */
enum err_code api_settings_read(struct settings *s, int argc, char **argv,
                                struct err *err) MUST_USE;
void api_settings_help(FILE *to);
void api_settings_release(struct settings *s);

#endif

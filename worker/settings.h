/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's settings: one row each in settings.c. */
#ifndef SANDFLEET_WORKER_SETTINGS_H
#define SANDFLEET_WORKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"
#include "common/secret/secret.h"

struct settings {
    char *brokers, *database, *prefix, *fleet;
    char *kafka_config;
    struct opt_list kafka_props;
    int64_t slots, lease_ms, drain_ms;
    int64_t drain_delay_ms;
    char *ca_file;
    char *e2b_api_url, *e2b_sandbox_url, *e2b_domain;
    struct secret *e2b_api_key;
    double e2b_cpu_usd_hour, e2b_gib_usd_hour;
    char *base_url, *redact_patterns;
    char *key_file, *key_command; /* of the master keys */
    char *credential_mode;
    bool proxy_credentials, proxy_only; /* of it */
    char *local_files;
    char *artifacts, *s3_endpoint, *s3_region; /* artifacts NULL: none are kept */
    struct secret *s3_key_id, *s3_key, *s3_token;
    bool allow_private_urls;
    char *metrics_listen; /* NULL: no pages */
    struct opt_list warm;
    int64_t warm_age_ms, park_ms, cancel_ms, janitor_ms, janitor_grace_ms;
    char *claude_update, *park_mode;
    char *store; /* NULL: none */
    struct secret *store_key;
    int64_t session_keep_ms;
    bool update_claude, park_pause; /* of the two */
    int64_t heartbeat_ms, silence_ms, tool_result_ms, result_ms;
    struct program_common common;
};

/* Sets the log up, too. ERR_USAGE, or ERR_CONFIG when settings contradict each other. */
enum err_code settings_parse(struct settings *s, int argc, char **argv, struct err *err) MUST_USE;
void settings_help(FILE *to);
void settings_print(const struct settings *s, FILE *to);
void settings_release(struct settings *s);

#endif

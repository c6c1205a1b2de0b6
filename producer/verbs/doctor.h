/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet doctor`: is every part there, and what to do where one is not. Each check runs in a
 * process of its own, which is killed at the check's deadline, so that none can hold up the others.
 */
#ifndef SANDFLEET_PRODUCER_VERBS_DOCTOR_H
#define SANDFLEET_PRODUCER_VERBS_DOCTOR_H

#include "producer/client.h"

struct doctor_settings {
    struct client client;
    int64_t deadline_ms, lease_ms;
    char *e2b_api_url, *e2b_domain, *ca_file;
    struct secret *e2b_api_key;
};

enum doctor_state { DOCTOR_OK, DOCTOR_FAILED, DOCTOR_SKIPPED };

struct doctor_result { /* goes through a pipe in one piece */
    enum doctor_state state;
    enum err_code code; /* of what failed */
    int64_t ms;
    char found[512]; /* what was seen; of a skipped one, why */
    char next[384];  /* the next step of a failed one; "": none is known */
};

/* What a check answers with; once. */
void doctor_ok(struct doctor_result *r, const char *fmt, ...) PRINTF(2, 3);
void doctor_skipped(struct doctor_result *r, const char *fmt, ...) PRINTF(2, 3);
void doctor_failed(struct doctor_result *r, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
void doctor_next(struct doctor_result *r, const char *fmt, ...) PRINTF(2, 3); /* behind failed */

struct doctor_check {
    const char *name, *what; /* "kafka", "Kafka answers" */
    const char *needs[2];    /* checks that must be ok before; NULL: none */
    void (*run)(const struct doctor_settings *s, struct doctor_result *r);
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_checks_n;

/* Runs all of them side by side, those that need others behind these. r: one a check. */
void doctor_run(const struct doctor_settings *s, struct doctor_result *r);

void doctor_config(const struct doctor_settings *s, struct doctor_result *r);
void doctor_kafka(const struct doctor_settings *s, struct doctor_result *r);
void doctor_topics(const struct doctor_settings *s, struct doctor_result *r);
void doctor_database(const struct doctor_settings *s, struct doctor_result *r);
void doctor_migrations(const struct doctor_settings *s, struct doctor_result *r);
void doctor_clock(const struct doctor_settings *s, struct doctor_result *r);
void doctor_workers(const struct doctor_settings *s, struct doctor_result *r);
void doctor_sink(const struct doctor_settings *s, struct doctor_result *r);
void doctor_api(const struct doctor_settings *s, struct doctor_result *r);
void doctor_api_key(const struct doctor_settings *s, struct doctor_result *r);
void doctor_sandboxes(const struct doctor_settings *s, struct doctor_result *r);

int command_doctor(struct client *c, int n, char **words);

#endif

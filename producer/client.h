/* SPDX-License-Identifier: Apache-2.0 */
/* The command-line client: its settings, its commands, and how it says things.
 * A command is one shot: it may block where its parts say so. */
#ifndef SANDFLEET_PRODUCER_CLIENT_H
#define SANDFLEET_PRODUCER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/kafka.h"
#include "common/option.h"
#include "schema/topics.h"

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JSONL };

struct client { /* every command's settings; a command's rows fill the part it uses */
    /* connection */
    char *brokers, *prefix, *database;
    struct opt_list props;
    char *log_level;
    /* how to answer */
    char *output_text;
    enum output output;
    bool quiet;
    /* a run */
    char *prompt, *prompt_file;
    char *tenant, *model, *session, *on_busy, *system_prompt, *template, *working_dir, *credential;
    char *idempotency_key, *lane, *custom_id;
    struct opt_list allowed_tools, env;
    int64_t max_turns, timeout_ms, max_attempts, priority;
    double max_budget_usd;
    /* a file of runs */
    char *file, *batch;
    bool skip_invalid;
    /* waiting */
    int64_t ack_ms, wait_ms;
    /* cancel */
    bool force;
    char *requested_by;
    /* retention */
    int64_t keep_ms;
    bool dry_run;
    /* events */
    int64_t since, limit;
    bool gaps;
    /* topics apply */
    bool repartition;
    bool help;
};

/* One row a command: `sandfleet <noun> [verb]`. */
struct command {
    const char *name;       /* "topics apply" */
    const char *args;       /* "[PROMPT]" */
    const char *help;       /* one full sentence */
    const char *permission; /* what it needs: "submit", "read", "admin" */
    const struct opt *rows;
    const size_t *n_rows;
    int max_words; /* words that are no flag, after the name */
    int (*run)(struct client *c, int n_words, char **words); /* exit status */
};

int command_run(struct client *c, int n, char **words);
int command_submit(struct client *c, int n, char **words);
int command_follow(struct client *c, int n, char **words);
int command_cancel(struct client *c, int n, char **words);
int command_events(struct client *c, int n, char **words);
int command_retention(struct client *c, int n, char **words);
int command_topics_apply(struct client *c, int n, char **words);
int command_migrate(struct client *c, int n, char **words);
int command_limits_get(struct client *c, int n, char **words);
int command_limits_set(struct client *c, int n, char **words);

/* Rows that several commands share; each command's array starts with them. */
extern const struct opt client_submit_rows[], client_run_rows[], client_follow_rows[],
    client_cancel_rows[], client_topics_rows[], client_migrate_rows[], client_limits_rows[],
    client_events_rows[], client_retention_rows[];
extern const size_t client_submit_n, client_run_n, client_follow_n, client_cancel_n,
    client_topics_n, client_migrate_n, client_limits_n, client_events_n, client_retention_n;

/* "sandfleet: <msg>" on stderr, and the next step where one is known; returns the exit status. */
int client_fail(const struct err *e);
/* Says what was left out or went differently, on stderr: "sandfleet: note: …". */
void client_note(const char *fmt, ...) PRINTF(1, 2);

/* The topics and an administration handle, checked to be there (ERR_UNAVAILABLE, ERR_CONFIG). */
struct kafka_conf client_kafka(const struct client *c);
enum err_code client_connect(const struct client *c, struct topics *topics,
                             struct kafka_admin **admin, struct err *err) MUST_USE;

/* Writes to stdout; false (and ERR_IO filled) when it is closed or full. A reader that
 * went away (EPIPE) is no fault: *gone is set. */
bool client_put(const char *p, size_t n, bool *gone, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The command-line client: its settings, its commands, and how it says things.
 * A command is one shot: it may block where its parts say so. */
#ifndef SANDFLEET_PRODUCER_CLIENT_H
#define SANDFLEET_PRODUCER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/kafka/kafka.h"
#include "common/option/option.h"
#include "producer/exit_status.h"
#include "schema/topics.h"

struct call;
struct secret;

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JSONL };

/* What commands share of their settings; a command's rows fill the part it uses. What only one
 * noun's commands have stands in a struct of their own that begins with this one (command.h). */
struct client {
    /* connection */
    char *brokers, *prefix, *database, *api_url, *api_ca_file;
    struct secret *api_key;
    char *kafka_config;
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
    int64_t keep_ms, keep_audit_ms;
    bool dry_run;
    /* events */
    int64_t since, limit;
    bool gaps;
    /* a run on the terminal */
    bool full;
    /* topics apply */
    bool repartition;
    bool help;
    char *config, *profile;
    const struct call *call; /* how it was called; NULL: not from a command line */
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

/* What flags say and their rows cannot check: ERR_USAGE. */
enum err_code client_check(const struct client *c, struct err *err) MUST_USE;

/* "sandfleet: <msg>" on stderr, and the next step where one is known; returns the exit status. */
int client_fail(const struct err *e);
/* The same where all that can be invalid are the command line's own words: exit status 2. */
int client_fail_words(const struct err *e);
/* Which command runs ("runs list", borrowed for ever), and the next step when it was called
 * wrongly: "try 'sandfleet runs list --help'". */
void client_called(const char *command);
const char *client_try_help(void);
/* Says what was left out or went differently, on stderr: "sandfleet: note: …". */
void client_note(const char *fmt, ...) PRINTF(1, 2);

/* The topics and an administration handle, checked to be there (ERR_UNAVAILABLE, ERR_CONFIG). */
struct kafka_conf client_kafka(const struct client *c);
enum err_code client_connect(const struct client *c, struct topics *topics,
                             struct kafka_admin **admin, struct err *err) MUST_USE;

/* Writes to stdout; false (and ERR_IO filled) when it is closed or full. A reader that
 * went away (EPIPE) is no fault: *gone is set. */
bool client_put(const char *p, size_t n, bool *gone, struct err *err);
/* All of a list, text or JSON; of one that has none ("webhooks") that is said on standard error. */
bool client_put_list(const struct client *c, const struct buf *list, const char *none,
                     struct err *err);

#endif

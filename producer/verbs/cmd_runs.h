/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `sandfleet runs` that go through the API. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_RUNS_H
#define SANDFLEET_PRODUCER_VERBS_CMD_RUNS_H

#include "producer/client.h"
#include "producer/show/terminal.h"

struct runs_client {
    struct client c;
    char *states, *outcome, *project, *user, *after, *before, *batch_id, *session_id, *custom,
        *lane, *model;
    struct opt_list metadata; /* "key=value" */
    struct opt_list tags;
    bool oldest_first;
    int64_t attempt;
};

int command_runs_list(struct client *c, int n, char **words);
int command_runs_get(struct client *c, int n, char **words);
int command_runs_wait(struct client *c, int n, char **words);
int command_runs_result(struct client *c, int n, char **words);
int command_runs_retry(struct client *c, int n, char **words);
int command_runs_explain(struct client *c, int n, char **words);
int command_runs_logs(struct client *c, int n, char **words);
int command_runs_attempts(struct client *c, int n, char **words);
int command_runs_usage(struct client *c, int n, char **words);

/* `cancel` and `events`, where --api-url says where the API is. */
int runs_cancel_by_api(struct client *c, int n, char **words);
int runs_events_by_api(struct client *c, const char *run_id);

/* Whether a run, as the API has it, has ended; and how. */
struct cJSON;
bool run_doc_ended(const struct cJSON *run);
bool run_doc_completed(const struct cJSON *run);

/* ERR_USAGE unless all of them are run ids, and there is one. */
enum err_code runs_check_ids(int n, char **words, struct err *err) MUST_USE;

/* Appends a text of several lines under its title, safe, wrapped on a terminal; NULL: nothing. */
void runs_put_section(const char *title, const char *text, const struct terminal *t,
                      struct buf *out);

#endif

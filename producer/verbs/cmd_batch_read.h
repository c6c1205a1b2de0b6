/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `sandfleet batch` that read batches, and end or repeat them, through the API. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_BATCH_READ_H
#define SANDFLEET_PRODUCER_VERBS_CMD_BATCH_READ_H

#include "producer/client.h"

struct batch_reader {
    struct client c;
    char *states, *new_batch;
    bool ordered, errors_only;
};

int command_batch_list(struct client *c, int n, char **words);
int command_batch_get(struct client *c, int n, char **words);
int command_batch_watch(struct client *c, int n, char **words);
int command_batch_wait(struct client *c, int n, char **words);
int command_batch_results(struct client *c, int n, char **words);
int command_batch_cancel(struct client *c, int n, char **words);
int command_batch_retry(struct client *c, int n, char **words);

/* Whether a batch, as the API has it, has ended; and what that means for the exit status. */
struct cJSON;
bool batch_doc_ended(const struct cJSON *batch);
int batch_doc_status(const struct cJSON *batch);

/* ERR_USAGE unless it is one word. */
enum err_code batch_check_name(int n, char **words, struct err *err) MUST_USE;

#endif

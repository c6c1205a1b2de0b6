/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch …`, as far as it reads batches, and ends or repeats them. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_batch_read.h"
#include "schema/run_request.h"

#define AT(member)    offsetof(struct client, member)
#define BATCH(member) offsetof(struct batch_reader, member)

// clang-format off
static const struct opt list_rows[] = {
    {"state", 0, OPT_STRING, BATCH(states), NULL, 1, 128, OPT_NO_ENV, NULL, "<state,…>", "Only in one of these: open, in_progress, cancelling, ended."},
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};

static const struct opt wait_rows[] = {
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, INT64_C(604800000), OPT_NO_ENV, NULL, "<duration>", "Waits at most so long (exit status 124: it has not ended); the batch goes on."},
};

static const struct opt results_rows[] = {
    {"output", 'o', OPT_STRING, AT(output_text), "jsonl", 0, 0, OPT_NO_ENV, NULL, "<text|json|jsonl>", "How to answer: a result a line, one array, or a row each for people."},
    {"ordered", 0, OPT_BOOL, BATCH(ordered), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "In the order in which they were submitted, not in which they ended."},
    {"errors-only", 0, OPT_BOOL, BATCH(errors_only), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Leaves out those that succeeded."},
};

static const struct opt cancel_rows[] = {
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Kills the sandboxes at once: no results, and what the attempts cost stays unknown."},
};

static const struct opt retry_rows[] = {
    {"batch", 0, OPT_STRING, BATCH(new_batch), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "The new batch's name; made up when not given."},
    {"state", 0, OPT_STRING, BATCH(states), NULL, 1, 128, OPT_NO_ENV, NULL, "<state,…>", "Only runs that ended so: failed, timed_out, cancelled, expired; all but cancelled ones when not given."},
    {"idempotency-key", 0, OPT_STRING, AT(idempotency_key), NULL, 1, 2 * RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "The same key makes the same new batch."},
};
// clang-format on

static const struct option_set of_list = OPTION_SET("Which", list_rows);
static const struct option_set of_wait = OPTION_SET("Waiting", wait_rows);
static const struct option_set of_results = OPTION_SET("Results", results_rows);
static const struct option_set of_cancel = OPTION_SET("How", cancel_rows);
static const struct option_set of_retry = OPTION_SET("The new batch", retry_rows);

#define BY_API &options_api, &options_tenant

static const struct command rows[] = {
    {.name = "batch list",
     .args = "",
     .help = "Lists batches, the newest first.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_list, BY_API),
     .size = sizeof(struct batch_reader),
     .run = command_batch_list},
    {.name = "batch get",
     .args = "NAME",
     .help = "Tells all about a batch, its runs counted by state.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_batch_get},
    {.name = "batch watch",
     .args = "NAME",
     .help = "Shows how far a batch is until it ends; exit status 6 when part of it failed.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_wait, BY_API),
     .max_words = 1,
     .run = command_batch_watch,
     .more = "On a terminal a few rows are written over: how far it is, counts by state, rate, "
             "cost, how\n"
             "long it will take, which runs take longest and which failed. In a pipe a line comes "
             "every\n"
             "ten seconds while something ends. Ctrl-C lets go of the batch, which goes on."},
    {.name = "batch wait",
     .args = "NAME",
     .help = "Waits until a batch has ended; exit status 6 when part of it failed.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_wait, BY_API),
     .max_words = 1,
     .run = command_batch_wait},
    {.name = "batch results",
     .args = "NAME",
     .help = "Prints what came out of a batch so far, a line each; also while it runs.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&of_results, BY_API),
     .size = sizeof(struct batch_reader),
     .max_words = 1,
     .run = command_batch_results,
     .more = "A line is {custom_id, run_id, status, result: {type, text, structured_output, "
             "error}, usage,\n"
             "cost_usd, …}; type is succeeded, errored, canceled or expired, as in the Message "
             "Batches\n"
             "format. Runs that have not ended are not in it.",
     .examples = "sandfleet batch results nightly >results.jsonl\n"
                 "sandfleet batch results nightly --errors-only -o text"},
    {.name = "batch cancel",
     .args = "NAME",
     .help = "Ends all runs of a batch, also those that are submitted to it later.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_cancel, &of_wait, BY_API),
     .max_words = 1,
     .run = command_batch_cancel},
    {.name = "batch retry",
     .args = "NAME",
     .help = "Submits what did not succeed once more, as a new batch; prints its name.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_retry, BY_API),
     .size = sizeof(struct batch_reader),
     .max_words = 1,
     .run = command_batch_retry},
};

const struct command_list commands_batch_read = COMMAND_LIST(rows);

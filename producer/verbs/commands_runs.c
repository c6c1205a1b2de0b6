/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs …`: what was submitted. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_runs.h"
#include "schema/cancel.h"
#include "schema/run_request.h"

#define AT(member)  offsetof(struct client, member)
#define RUN(member) offsetof(struct runs_client, member)

// clang-format off
static const struct opt events_rows[] = {
    {"since", 0, OPT_INT, AT(since), "0", 0, INT64_MAX, OPT_NO_ENV, NULL, "<sequence>", "Only what comes behind this sequence."},
    {"limit", 0, OPT_INT, AT(limit), "1000", 1, 1000000, OPT_NO_ENV, NULL, "<n>", "At most so many."},
    {"gaps", 0, OPT_BOOL, AT(gaps), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Lines that are known to be missing, of this run or of all; none is how it should be."},
};

static const struct opt list_rows[] = {
    {"state", 0, OPT_STRING, RUN(states), NULL, 1, 256, OPT_NO_ENV, NULL, "<state,…>", "Only in one of these: queued, held, starting, running, retrying, cancelling, completed, failed, timed_out, cancelled, expired."},
    {"batch", 0, OPT_STRING, RUN(batch_id), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only of this batch."},
    {"session", 's', OPT_STRING, RUN(session_id), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only of this session."},
    {"custom-id", 0, OPT_STRING, RUN(custom), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only those of this name."},
    {"project", 0, OPT_STRING, RUN(project), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only of this project_id."},
    {"user", 0, OPT_STRING, RUN(user), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only of this user_id."},
    {"model", 0, OPT_STRING, RUN(model), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<model>", "Only with this model, by its full name once the run has begun."},
    {"tag", 0, OPT_LIST, RUN(tags), NULL, 0, 0, OPT_NO_ENV, NULL, "<name>", "Only those with this tag; of several, with all of them."},
    {"metadata", 0, OPT_LIST, RUN(metadata), NULL, 0, 0, OPT_NO_ENV, NULL, "<key=value>", "Only those whose metadata has this; of several, all of them."},
    {"lane", 0, OPT_STRING, RUN(lane), NULL, 1, 32, OPT_NO_ENV, NULL, "<interactive|batch>", "Only in this lane."},
    {"outcome", 0, OPT_STRING, RUN(outcome), NULL, 1, 64, OPT_NO_ENV, NULL, "<outcome>", "Only those that ended so: docs/outcomes.md lists them."},
    {"after", 0, OPT_STRING, RUN(after), NULL, 1, 64, OPT_NO_ENV, NULL, "<time>", "Only those created then or later: 2h for two hours ago, 2026-03-01 (UTC), or 2026-03-01T10:00:00Z."},
    {"before", 0, OPT_STRING, RUN(before), NULL, 1, 64, OPT_NO_ENV, NULL, "<time>", "Only those created before then."},
    {"oldest-first", 0, OPT_BOOL, RUN(oldest_first), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "The other way round: the oldest first."},
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};

static const struct opt wait_rows[] = {
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, 86400000, OPT_NO_ENV, NULL, "<duration>", "Waits at most so long (exit status 124: it has not ended); the run goes on."},
};

static const struct opt retry_rows[] = {
    {"idempotency-key", 0, OPT_STRING, AT(idempotency_key), NULL, 1, 2 * RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "The same key makes the same new run."},
};

static const struct opt logs_rows[] = {
    {"attempt", 0, OPT_INT, RUN(attempt), NULL, 1, INT32_MAX, OPT_NO_ENV, NULL, "<n>", "Which attempt; the newest when not given."},
    {"full", 0, OPT_BOOL, AT(full), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Shows thoughts and tools' results as a whole, not their first lines."},
};

static const struct opt follow_rows[] = {
    {"since", 0, OPT_INT, AT(since), "0", 0, INT64_MAX, OPT_NO_ENV, NULL, "<sequence>", "Only what comes behind this sequence."},
};

static const struct opt cancel_rows[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose runs they are."},
    {"batch", 0, OPT_STRING, AT(batch), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "All runs of this batch, also those that are submitted to it later."},
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Kills the sandbox at once: no result, and the attempt's cost stays unknown."},
    {"requested-by", 0, OPT_STRING, AT(requested_by), NULL, 1, CANCEL_BY_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Who asks, as the events tell it; your login name when not given."},
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, 86400000, OPT_NO_ENV, NULL, "<duration>", "Waits so long until all have ended (exit status 124: not all have)."},
};
// clang-format on

static const struct option_set of_list = OPTION_SET("Which", list_rows);
static const struct option_set of_wait = OPTION_SET("Waiting", wait_rows);
static const struct option_set of_retry = OPTION_SET("The new run", retry_rows);
static const struct option_set of_logs = OPTION_SET("Which", logs_rows);
static const struct option_set of_follow = OPTION_SET("Which", follow_rows);
static const struct option_set of_events = OPTION_SET("Which", events_rows);
static const struct option_set of_cancel = OPTION_SET("What is cancelled", cancel_rows);

#define BY_API &options_api, &options_tenant

static const struct command rows[] = {
    {.name = "runs list",
     .args = "",
     .help = "Lists runs, the newest first.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_list, BY_API),
     .size = sizeof(struct runs_client),
     .run = command_runs_list,
     .examples = "sandfleet runs list --state failed,timed_out --after 1d\n"
                 "sandfleet runs list --tag nightly --metadata team=infra --metadata build=17\n"
                 "sandfleet runs list --batch nightly -o jsonl --limit 0 | jq -r .custom_id"},
    {.name = "runs get",
     .args = "RUN_ID",
     .help = "Tells all about a run, with its prompt and its answer.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_runs_get},
    {.name = "runs wait",
     .args = "RUN_ID…",
     .help = "Waits until runs have ended.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_wait, BY_API),
     .max_words = CANCEL_RUNS_MAX,
     .run = command_runs_wait},
    {.name = "runs result",
     .args = "RUN_ID",
     .help = "Prints what a run answered; exit status 1 when it did not complete.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_wait, BY_API),
     .max_words = 1,
     .run = command_runs_result,
     .examples = "sandfleet runs result RUN_ID --wait 10m >answer.txt"},
    {.name = "runs explain",
     .args = "RUN_ID",
     .help = "Says why a run waits, or why it failed, and what to do about it.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_runs_explain},
    {.name = "runs attempts",
     .args = "RUN_ID",
     .help = "Lists a run's attempts.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_runs_attempts},
    {.name = "runs usage",
     .args = "RUN_ID",
     .help = "Tells what a run used and cost so far.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_runs_usage},
    {.name = "runs logs",
     .args = "RUN_ID",
     .help = "Prints what the agent of a run printed; with -o jsonl as it printed it.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_logs, BY_API),
     .max_words = 1,
     .size = sizeof(struct runs_client),
     .run = command_runs_logs},
    {.name = "runs retry",
     .args = "RUN_ID…",
     .help = "Submits the requests of runs that have ended once more; prints the new run ids.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_retry, BY_API),
     .max_words = CANCEL_RUNS_MAX,
     .run = command_runs_retry},
    {.name = "runs follow",
     .alias = "follow",
     .args = "RUN_ID",
     .help = "Follows a run from its first event to its end.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &options_wait, &of_follow, &options_api, &options_tenant,
                        &options_kafka),
     .max_words = 1,
     .run = command_follow,
     .more = "Where --api-url says where sandfleet-api answers, the run is followed through it; "
             "else on the\n"
             "events topic. Ctrl-C lets go of the run, which goes on, and says how to come back."},
    {.name = "runs events",
     .alias = "events",
     .args = "RUN_ID | --gaps [RUN_ID]",
     .help = "Tells a run's events, or what is missing of them.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_events, BY_API, &options_database),
     .max_words = 1,
     .run = command_events,
     .more = "Where --api-url says where sandfleet-api answers, it is asked; else the database. "
             "--gaps is\n"
             "always asked of the database."},
    {.name = "runs cancel",
     .alias = "cancel",
     .args = "RUN_ID… | --batch NAME",
     .help = "Ends runs, wherever they are.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_cancel, &options_api, &options_database),
     .max_words = CANCEL_RUNS_MAX,
     .run = command_cancel,
     .more = "Where --api-url says where sandfleet-api answers, it is asked, and the events tell "
             "whose key it\n"
             "was; else, and with --requested-by, the database."},
};

const struct command_list commands_runs = COMMAND_LIST(rows);

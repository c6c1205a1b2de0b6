/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs …`: what was submitted. */
#include <stddef.h>

#include "producer/client.h"
#include "producer/commands.h"
#include "schema/cancel.h"
#include "schema/run_request.h"

#define AT(member) offsetof(struct client, member)

// clang-format off
static const struct opt events_rows[] = {
    {"since", 0, OPT_INT, AT(since), "0", 0, INT64_MAX, OPT_NO_ENV, NULL, "<sequence>", "Only what comes behind this sequence."},
    {"limit", 0, OPT_INT, AT(limit), "1000", 1, 1000000, OPT_NO_ENV, NULL, "<n>", "At most so many."},
    {"gaps", 0, OPT_BOOL, AT(gaps), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Lines that are known to be missing, of this run or of all; none is how it should be."},
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

static const struct option_set of_follow = OPTION_SET("Which", follow_rows);
static const struct option_set of_events = OPTION_SET("Which", events_rows);
static const struct option_set of_cancel = OPTION_SET("What is cancelled", cancel_rows);

static const struct command rows[] = {
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
     .options = OPTIONS(&options_answer, &of_events, &options_database),
     .max_words = 1,
     .run = command_events},
    {.name = "runs cancel",
     .alias = "cancel",
     .args = "RUN_ID… | --batch NAME",
     .help = "Ends runs, wherever they are.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_cancel, &options_database),
     .max_words = CANCEL_RUNS_MAX,
     .run = command_cancel},
};

const struct command_list commands_runs = COMMAND_LIST(rows);

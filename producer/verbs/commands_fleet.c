/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet sessions …`, `sandbox …`, `dlq …`, `workers`, `stats`. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_fleet.h"
#include "producer/verbs/cmd_runs.h"
#include "schema/sandbox_ask.h"

#define AT(member)    offsetof(struct client, member)
#define FLEET(member) offsetof(struct fleet_client, member)
#define RUN(member)   offsetof(struct runs_client, member)

enum { LETTERS_MAX = 1000 };

// clang-format off
static const struct opt limit_rows[] = {
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};

static const struct opt sandboxes_rows[] = {
    {"state", 0, OPT_STRING, FLEET(states), NULL, 1, 128, OPT_NO_ENV, NULL, "<state,…>", "Only in one of these: busy, parked, paused, ended, evicted, lost."},
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};

static const struct opt create_rows[] = {
    {"count", 'n', OPT_INT, FLEET(count), "1", 1, SANDBOX_ASK_MAX, OPT_NO_ENV, NULL, "<n>", "How many."},
};

static const struct opt logs_rows[] = {
    {"attempt", 0, OPT_INT, RUN(attempt), NULL, 1, INT32_MAX, OPT_NO_ENV, NULL, "<n>", "Which attempt of the run; the newest when not given."},
    {"full", 0, OPT_BOOL, AT(full), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Shows thoughts and tools' results as a whole, not their first lines."},
};

static const struct opt letters_rows[] = {
    {"reason", 0, OPT_STRING, FLEET(reason), NULL, 1, 64, OPT_NO_ENV, NULL, "<reason>", "Only those of this class, such as conflict: the REASON of a list."},
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};

static const struct opt selection_rows[] = {
    {"reason", 0, OPT_STRING, FLEET(reason), NULL, 1, 64, OPT_NO_ENV, NULL, "<reason>", "All of this class: the REASON of dlq list."},
    {"all", 0, OPT_BOOL, FLEET(all), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "All of them."},
};

static const struct opt stats_rows[] = {
    {"fleet", 0, OPT_BOOL, FLEET(fleet), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Of all tenants; needs a key with admin."},
};
// clang-format on

static const struct option_set of_limit = OPTION_SET("Which", limit_rows);
static const struct option_set of_sandboxes = OPTION_SET("Which", sandboxes_rows);
static const struct option_set of_create = OPTION_SET("How many", create_rows);
static const struct option_set of_logs = OPTION_SET("Which", logs_rows);
static const struct option_set of_letters = OPTION_SET("Which", letters_rows);
static const struct option_set of_selection = OPTION_SET("Which", selection_rows);
static const struct option_set of_stats = OPTION_SET("Which", stats_rows);

#define BY_API &options_api, &options_tenant

static const struct command sessions[] = {
    {.name = "sessions list",
     .alias = "sessions",
     .args = "",
     .help = "Lists sessions, the most recently active first.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_limit, BY_API),
     .run = command_sessions_list},
    {.name = "sessions get",
     .args = "SESSION",
     .help = "Tells about a session: its runs, its sandbox, its cost.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_sessions_get},
    {.name = "sessions end",
     .args = "SESSION",
     .help = "Forgets a conversation: its transcript and its parked sandbox go, its runs stay.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_sessions_end},
};

static const struct command sandboxes[] = {
    {.name = "sandbox create",
     .args = "[TEMPLATE]",
     .help = "Has sandboxes made ahead of need; the first runs that come have them at once.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &of_create, BY_API),
     .size = sizeof(struct fleet_client),
     .max_words = 1,
     .run = command_sandbox_create,
     .more =
         "Sandboxes belong to the fleet: a run gets one, a session keeps its own, and nobody else "
         "is let\n"
         "in. So what can be asked for is that some are there before the runs are: of the "
         "template\n"
         "claude, or another one. One that nobody comes for ends after the workers' --warm-age."},
    {.name = "sandbox list",
     .args = "",
     .help = "Lists the sandboxes that runs had, the most recently used first.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_sandboxes, BY_API),
     .size = sizeof(struct fleet_client),
     .run = command_sandbox_list},
    {.name = "sandbox status",
     .args = "SANDBOX_ID",
     .help = "Tells about a sandbox: its state, whose it is, what it cost.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_sandbox_status},
    {.name = "sandbox logs",
     .args = "SANDBOX_ID",
     .help = "Prints what the run that had a sandbox last printed.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_logs, BY_API),
     .size = sizeof(struct runs_client),
     .max_words = 1,
     .run = command_sandbox_logs},
    {.name = "sandbox cost",
     .args = "SANDBOX_ID",
     .help = "Tells how long a sandbox ran and what it cost so far.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_sandbox_cost},
    {.name = "sandbox terminate",
     .args = "SANDBOX_ID",
     .help = "Kills a sandbox that is parked or paused; its session goes on in another one.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_sandbox_terminate},
};

static const struct command letters[] = {
    {.name = "dlq list",
     .alias = "dlq",
     .args = "",
     .help = "Lists records that were refused for good, the newest first.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &of_letters, BY_API),
     .size = sizeof(struct fleet_client),
     .run = command_dlq_list},
    {.name = "dlq get",
     .args = "LETTER_ID",
     .help = "Tells all about one of them, with its bytes.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, BY_API),
     .max_words = 1,
     .run = command_dlq_get},
    {.name = "dlq redrive",
     .args = "LETTER_ID… | --reason REASON | --all",
     .help = "Sends them to where they came from, once more.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &of_selection, BY_API),
     .size = sizeof(struct fleet_client),
     .max_words = LETTERS_MAX,
     .run = command_dlq_redrive},
    {.name = "dlq purge",
     .args = "LETTER_ID… | --reason REASON | --all",
     .help = "Removes them.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &of_selection, BY_API),
     .size = sizeof(struct fleet_client),
     .max_words = LETTERS_MAX,
     .run = command_dlq_purge},
};

static const struct command fleet[] = {
    {.name = "workers",
     .args = "",
     .help = "Lists the workers, and how many runs each has.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, BY_API),
     .run = command_workers},
    {.name = "stats",
     .args = "",
     .help = "Tells how much waits and how much runs, by lane and fairness key.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_stats, BY_API),
     .size = sizeof(struct fleet_client),
     .run = command_stats},
};

const struct command_list commands_sessions = COMMAND_LIST(sessions);
const struct command_list commands_sandbox = COMMAND_LIST(sandboxes);
const struct command_list commands_dlq = COMMAND_LIST(letters);
const struct command_list commands_fleet = COMMAND_LIST(fleet);

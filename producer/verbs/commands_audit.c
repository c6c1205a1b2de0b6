/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `sandfleet audit`. */
#include <stddef.h>

#include "producer/verbs/cmd_audit.h"
#include "producer/commands.h"
#include "schema/run_request.h"

#define AT(member) offsetof(struct audit_settings, member)

// clang-format off
static const struct opt which_rows[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only about this tenant's things."},
    {"actor", 0, OPT_STRING, AT(actor), NULL, 1, 256, OPT_NO_ENV, NULL, "<name>", "Only by this one: a key's id, or the user of a command."},
    {"action", 0, OPT_STRING, AT(action), NULL, 1, 256, OPT_NO_ENV, NULL, "<words>", "Only this: \"cred rotate\", \"POST /v1/runs/{}/cancel\"."},
    {"object", 0, OPT_STRING, AT(object), NULL, 1, 512, OPT_NO_ENV, NULL, "<name>", "Only to the thing of this name or id."},
    {"outcome", 0, OPT_STRING, AT(outcome), NULL, 1, 64, OPT_NO_ENV, NULL, "<word>", "Only what ended so: done, or an HTTP status."},
    {"since", 0, OPT_MS, AT(since_ms), NULL, 1, INT64_C(3153600000000), OPT_NO_ENV, NULL, "<duration>", "Only of this last while: 24h."},
    {"limit", 0, OPT_INT, AT(limit), "50", 0, INT64_MAX, OPT_NO_ENV, NULL, "<n>", "At most so many; 0: all."},
};
// clang-format on

static const struct option_set of_which = OPTION_SET("Which", which_rows);

static const struct command audit[] = {
    {.name = "audit list",
     .alias = "audit",
     .args = "",
     .help = "Lists who did what by the HTTP door and by commands, the newest first.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_which, &options_answer, &options_database),
     .run = command_audit_list,
     .size = sizeof(struct audit_settings),
     .more = "A row is written in the transaction of the change that it tells of, or behind the "
             "answer where nothing was changed in the database. No command changes or removes "
             "rows; the tables' owner does.",
     .examples =
         "sandfleet audit list --since 24h --action \"cred rotate\"\n"
         "sandfleet audit list --actor 0123456789ab -o json  # all that a key was used for"},
};

const struct command_list commands_audit = COMMAND_LIST(audit);

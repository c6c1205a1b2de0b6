/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `sandfleet keys`. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_keys.h"
#include "schema/api_key.h"
#include "schema/run_request.h"

#define DAY_MS     INT64_C(86400000)
#define AT(member) offsetof(struct keys_settings, member)

// clang-format off
static const struct opt key_rows[] = {
    {"tenant", 0, OPT_STRING, AT(client.tenant), "default", 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose key it is."},
    {"scope", 0, OPT_LIST, AT(scopes), "submit,read", 0, 0, OPT_NO_ENV, NULL, "<word>", "What it may do: submit, read or admin."},
    {"label", 0, OPT_STRING, AT(label), NULL, 1, API_KEY_LABEL_MAX, OPT_NO_ENV, NULL, "<text>", "What to know it by."},
    {"expires", 0, OPT_MS, AT(life_ms), NULL, 1000, API_KEY_LIFE_MAX_DAYS * DAY_MS, OPT_NO_ENV, NULL, "<duration>", "How long it counts: 90d; for ever when not given."},
};

static const struct opt whose_rows[] = {
    {"tenant", 0, OPT_STRING, AT(client.tenant), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only this tenant's."},
};
// clang-format on

static const struct option_set of_key = OPTION_SET("The key", key_rows);
static const struct option_set of_whose = OPTION_SET("Which", whose_rows);

static const struct command keys[] = {
    {.name = "keys create",
     .args = "[--label TEXT]",
     .help = "Makes an API key for sandfleet-api, and shows it this once.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_key, &options_answer, &options_database),
     .run = command_keys_create,
     .size = sizeof(struct keys_settings),
     .more = "The database keeps a hash of it. Whoever has the key can do what its scopes say, for "
             "its tenant; scope admin includes the others, is not bound to the tenant, and may "
             "see and change what the whole fleet shares.",
     .examples = "sandfleet keys create --label web --expires 90d  # submits and reads\n"
                 "sandfleet keys create --tenant acme --scope read  # only looks"},
    {.name = "keys list",
     .alias = "keys",
     .args = "",
     .help = "Lists the API keys; the keys themselves are nowhere.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_whose, &options_answer, &options_database),
     .run = command_keys_list,
     .size = sizeof(struct keys_settings)},
    {.name = "keys revoke",
     .args = "KEY_ID",
     .help = "Takes an API key back; servers hear of it at once.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &options_database),
     .max_words = 1,
     .run = command_keys_revoke,
     .size = sizeof(struct keys_settings)},
};

const struct command_list commands_keys = COMMAND_LIST(keys);

/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet cred …`: the agents' credentials. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_cred.h"
#include "schema/run_request.h"

#define AT(member)  offsetof(struct cred, client.member)
#define OWN(member) offsetof(struct cred, member)

// clang-format off
static const struct opt key_rows[] = {
    {"master-key-file", 0, OPT_STRING, OWN(key_file), NULL, 1, 4096, 0, NULL, "<file>", "Master keys, a line of 64 hex digits each, the first one seals; by default " KEYRING_CREDENTIAL " in $CREDENTIALS_DIRECTORY (systemd)."},
    {"master-key-command", 0, OPT_STRING, OWN(key_command), NULL, 1, 4096, 0, NULL, "<command>", "A shell command that prints them instead, such as one that asks a key manager."},
};

static const struct opt secret_rows[] = {
    {"secret-file", 0, OPT_STRING, OWN(secret_file), NULL, 1, 4096, OPT_NO_ENV, NULL, "<file>", "The secret, in a file that only its owner can read; else it is read from standard input."},
};

static const struct opt add_rows[] = {
    {"kind", 'k', OPT_STRING, OWN(kind), NULL, 1, 16, OPT_NO_ENV, NULL, "<kind>", "Kind of secret: oauth (of `claude setup-token`), api_key, gateway (a token for --base-url), or none; not needed where its looks tell."},
    {"pool", 0, OPT_STRING, OWN(pool), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Pool it belongs to: a run that names the pool gets a free member."},
    {"base-url", 0, OPT_STRING, OWN(base_url), NULL, 1, CREDENTIAL_URL_MAX_BYTES, OPT_NO_ENV, NULL, "<url>", "Where the agents' requests go with it (ANTHROPIC_BASE_URL)."},
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Whose runs may have it; everybody's when not given."},
    {"replace", 0, OPT_BOOL, OWN(replace), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Takes the place of one of that name, whatever that is; for scripts."},
};

static const struct opt test_rows[] = {
    {"offline", 0, OPT_BOOL, OWN(offline), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Only opens it: nobody is asked."},
    {"base-url", 0, OPT_STRING, OWN(base_url), NULL, 1, CREDENTIAL_URL_MAX_BYTES, 0, "ANTHROPIC_BASE_URL", "<url>", "Whom to ask about one that has no base URL of its own; " CREDENTIAL_API_URL " when not given."},
};

static const struct opt rm_rows[] = {
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Also while runs use it: they go on."},
};

static const struct opt rewrap_rows[] = {
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Also while a worker lacks the key: it gets no run with such a credential any more."},
};
// clang-format on

static const struct option_set of_keys = OPTION_SET("Master keys", key_rows);
static const struct option_set of_secret = OPTION_SET("The secret", secret_rows);
static const struct option_set of_add = OPTION_SET("The credential", add_rows);
static const struct option_set of_test = OPTION_SET("The test", test_rows);
static const struct option_set of_rm = OPTION_SET("Removing", rm_rows);
static const struct option_set of_rewrap = OPTION_SET("Wrapping", rewrap_rows);

static const struct command rows[] = {
    {.name = "cred add",
     .args = "NAME",
     .help = "Seals a credential for the agents and stores it; workers can have it at once.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_add, &of_secret, &of_keys, &options_database),
     .max_words = 1,
     .run = command_cred_add,
     .size = sizeof(struct cred),
     .examples = "sandfleet cred add default  # asks for the token of `claude setup-token`\n"
                 "sandfleet cred add team-1 --pool team --secret-file token\n"
                 "sandfleet cred add gw --base-url https://gw.example <token\n"},
    {.name = "cred list",
     .args = "[NAME]",
     .help = "Tells which credentials there are, and which of them can be had; never a secret.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &options_database),
     .max_words = 1,
     .run = command_cred_list,
     .size = sizeof(struct cred)},
    {.name = "cred limits",
     .args = "[NAME]",
     .help = "Tells what the service said of their limits, and how many runs use them.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &options_database),
     .max_words = 1,
     .run = command_cred_limits,
     .size = sizeof(struct cred),
     .more = "What a credential may have at once is set by\n"
             "`sandfleet limits set credential:NAME concurrency N`."},
    {.name = "cred test",
     .args = "NAME",
     .help = "Opens a credential and asks the model's API whether it is accepted.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_test, &of_keys, &options_database),
     .max_words = 1,
     .run = command_cred_test,
     .size = sizeof(struct cred)},
    {.name = "cred rotate",
     .args = "NAME",
     .help = "Gives a credential another secret; runs under way keep the old one to their end.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_secret, &of_keys, &options_database),
     .max_words = 1,
     .run = command_cred_rotate,
     .size = sizeof(struct cred)},
    {.name = "cred disable",
     .args = "NAME",
     .help = "No run gets it any more until it is enabled; those that name it wait.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_database),
     .max_words = 1,
     .run = command_cred_disable,
     .size = sizeof(struct cred)},
    {.name = "cred enable",
     .args = "NAME",
     .help = "It can be had again, also where it was held for a limit or a refusal.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_database),
     .max_words = 1,
     .run = command_cred_enable,
     .size = sizeof(struct cred)},
    {.name = "cred rm",
     .args = "NAME",
     .help = "Removes a credential; a run that names it from then on fails.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_rm, &options_database),
     .max_words = 1,
     .run = command_cred_rm,
     .size = sizeof(struct cred)},
    {.name = "cred rewrap",
     .args = "",
     .help = "Wraps all credentials, and the keys of webhooks, with the first master key; runs go "
             "on meanwhile.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_rewrap, &of_keys, &options_database),
     .run = command_cred_rewrap,
     .size = sizeof(struct cred),
     .more = "To bring in another master key: put it into the file of every worker and of\n"
             "sandfleet-webhook, behind the old one, and restart them one by one; put it first in\n"
             "yours and call this; then take the old one out everywhere."},
};

const struct command_list commands_cred = COMMAND_LIST(rows);

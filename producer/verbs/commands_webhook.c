/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `sandfleet webhook`. */
#include <stddef.h>

#include "common/secret/keyring.h"
#include "producer/commands.h"
#include "producer/verbs/cmd_webhook.h"
#include "schema/run_request.h"
#include "schema/webhook.h"

#define DAY_MS      INT64_C(86400000)
#define AT(member)  offsetof(struct webhook_settings, client.member)
#define OWN(member) offsetof(struct webhook_settings, member)

// clang-format off
static const struct opt whose_rows[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), "default", 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose webhook it is: it is told of that tenant's runs."},
};

static const struct opt add_rows[] = {
    {"url", 0, OPT_STRING, OWN(url), NULL, 1, WEBHOOK_URL_MAX_BYTES, OPT_NO_ENV, NULL, "<url>", "Where runs' ends are posted to."},
    {"state", 0, OPT_LIST, OWN(states), "completed,failed,timed_out,cancelled,expired", 0, 0, OPT_NO_ENV, NULL, "<word>", "Which ends: completed, failed, timed_out, cancelled, expired."},
    {"plain-http", 0, OPT_BOOL, OWN(plain_http), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Takes an http:// URL: who is on the way can read what is sent."},
};

static const struct opt key_rows[] = {
    {"scheme", 0, OPT_STRING, OWN(scheme), "v1", 1, 16, OPT_NO_ENV, NULL, "<word>", "How deliveries are signed: v1 (HMAC-SHA256, the receiver has the secret), v1a (Ed25519, it has a public key)."},
    {"master-key-file", 0, OPT_STRING, OWN(key_file), NULL, 1, 4096, 0, NULL, "<file>", "Master keys, a line of 64 hex digits each, the first one seals; by default " KEYRING_CREDENTIAL " in $CREDENTIALS_DIRECTORY (systemd)."},
    {"master-key-command", 0, OPT_STRING, OWN(key_command), NULL, 1, 4096, 0, NULL, "<command>", "A shell command that prints them instead, such as one that asks a key manager."},
};

static const struct opt rotate_rows[] = {
    {"overlap", 0, OPT_MS, OWN(overlap_ms), "24h", 0, 365 * DAY_MS, OPT_NO_ENV, NULL, "<duration>", "How long the keys that it has sign beside the new one."},
};

static const struct opt rm_rows[] = {
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Also while deliveries have not ended: they never will."},
};

static const struct opt list_rows[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Only this tenant's."},
};

static const struct opt deliveries_rows[] = {
    {"failed", 0, OPT_BOOL, OWN(failed), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Only those that were given up."},
    {"limit", 0, OPT_INT, AT(limit), "100", 1, 10000, OPT_NO_ENV, NULL, "<n>", "How many, the newest first."},
};

static const struct opt redeliver_rows[] = {
    {"failed", 0, OPT_BOOL, OWN(failed), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "All that were given up, instead of one run's."},
};
// clang-format on

static const struct option_set of_whose = OPTION_SET("Which", whose_rows);
static const struct option_set of_add = OPTION_SET("The webhook", add_rows);
static const struct option_set of_key = OPTION_SET("Its key", key_rows);
static const struct option_set of_rotate = OPTION_SET("Its other keys", rotate_rows);
static const struct option_set of_rm = OPTION_SET("Removing", rm_rows);
static const struct option_set of_list = OPTION_SET("Which", list_rows);
static const struct option_set of_deliveries =
    OPTION_SET("Which of its deliveries", deliveries_rows);
static const struct option_set of_redeliver = OPTION_SET("Which of its deliveries", redeliver_rows);

static const struct command rows[] = {
    {.name = "webhook add",
     .args = "NAME --url URL",
     .help = "Has a URL told when runs end, and shows this once what to check the signatures with.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_add, &of_whose, &of_key, &options_answer, &options_database),
     .max_words = 1,
     .run = command_webhook_add,
     .size = sizeof(struct webhook_settings),
     .more =
         "sandfleet-webhook posts to it, as Standard Webhooks has it: the run's id and state and\n"
         "a link, not its output. It sends to public addresses only, unless it runs with\n"
         "--allow-net. A delivery is tried for a day; an endpoint that answers 410 is disabled.",
     .examples = "sandfleet webhook add ci --url https://ci.example/hooks/sandfleet\n"
                 "sandfleet webhook add pager --url https://p.example/x --state failed --state "
                 "timed_out\n"},
    {.name = "webhook list",
     .alias = "webhook",
     .args = "[NAME]",
     .help = "Lists webhooks, how they do and their keys; never a secret.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_list, &options_answer, &options_database),
     .max_words = 1,
     .run = command_webhook_list,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook rotate",
     .args = "NAME",
     .help = "Gives it another key; for a while deliveries are signed with both.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_rotate, &of_whose, &of_key, &options_answer, &options_database),
     .max_words = 1,
     .run = command_webhook_rotate,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook disable",
     .args = "NAME",
     .help = "Sends it nothing; of what ends meanwhile it is never told.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_whose, &options_database),
     .max_words = 1,
     .run = command_webhook_disable,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook enable",
     .args = "NAME",
     .help = "Sends to it again, also where it had answered 410; what waits goes out at once.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_whose, &options_database),
     .max_words = 1,
     .run = command_webhook_enable,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook rm",
     .args = "NAME",
     .help = "Removes it, with its keys and the log of its deliveries.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_rm, &of_whose, &options_database),
     .max_words = 1,
     .run = command_webhook_rm,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook deliveries",
     .args = "NAME [RUN_ID]",
     .help = "Tells what became of its deliveries; of one run's, each try.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_deliveries, &of_whose, &options_answer, &options_database),
     .max_words = 2,
     .run = command_webhook_deliveries,
     .size = sizeof(struct webhook_settings)},
    {.name = "webhook redeliver",
     .args = "NAME RUN_ID|--failed",
     .help = "Sends a run's end again, delivered or not, with the same webhook-id.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_redeliver, &of_whose, &options_database),
     .max_words = 2,
     .run = command_webhook_redeliver,
     .size = sizeof(struct webhook_settings)},
};

const struct command_list commands_webhook = COMMAND_LIST(rows);

/* SPDX-License-Identifier: Apache-2.0 */
/* What an installation needs before its first run, and from time to time. */
#include <stddef.h>

#include "producer/client.h"
#include "producer/commands.h"

#define DAY_MS     INT64_C(86400000)
#define AT(member) offsetof(struct client, member)

// clang-format off
static const struct opt retention_rows[] = {
    {"keep-audit", 0, OPT_MS, AT(keep_audit_ms), NULL, DAY_MS, 36500 * DAY_MS, OPT_NO_ENV, NULL, "<duration>", "How long it is kept who did what: 400d; for ever when not given."},
    {"keep", 0, OPT_MS, AT(keep_ms), NULL, DAY_MS, 36500 * DAY_MS, OPT_NO_ENV, NULL, "<duration>", "How long events are kept, from the day their run was created: 90d."},
    {"dry-run", 0, OPT_BOOL, AT(dry_run), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Only tells what would be dropped."},
};

static const struct opt topics_rows[] = {
    {"repartition", 0, OPT_BOOL, AT(repartition), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Adds partitions where topics.yaml asks for more; only while no run is open."},
};
// clang-format on

static const struct option_set of_retention = OPTION_SET("What goes", retention_rows);
static const struct option_set of_topics = OPTION_SET("Topics", topics_rows);

static const struct command limits[] = {
    {.name = "limits get",
     .alias = "limits",
     .args = "",
     .help = "Tells what the fleet may run at once, and how it is shared.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_answer, &options_database),
     .run = command_limits_get},
    {.name = "limits set",
     .args = "fleet|tenant:NAME|credential:NAME|key:NAME LIMIT VALUE|none|default",
     .help =
         "Changes a limit of the fleet, a tenant, a credential or a key; it holds from the next "
         "start on.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_database),
     .max_words = 3,
     .run = command_limits_set,
     .more =
         "The fleet has concurrency (runs at once) and starts_per_minute, a tenant and a "
         "credential have\nconcurrency, a key (a request's fairness_key, else its tenant) has "
         "weight: its share of what\nstarts. '*' is each that has none of its own; none lifts a "
         "limit, default takes back what\nwas set. Who must wait waits; nothing is refused.",
     .examples =
         "sandfleet limits set fleet starts_per_minute 20\n"
         "sandfleet limits set 'tenant:*' concurrency 5  # each without a limit of its own\n"
         "sandfleet limits set key:nightly weight 3"},
};

static const struct command setup[] = {
    {.name = "topics apply",
     .args = "",
     .help = "Creates the Kafka topics, or checks those that exist.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_topics, &options_kafka),
     .run = command_topics_apply},
    {.name = "migrate",
     .args = "",
     .help = "Brings the database to this version's shape.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&options_database),
     .run = command_migrate},
    {.name = "retention",
     .args = "--keep DURATION",
     .help = "Drops the events of old runs; runs and sums stay.",
     .scope = SCOPE_ADMIN,
     .options = OPTIONS(&of_retention, &options_database),
     .run = command_retention},
};

const struct command_list commands_limits = COMMAND_LIST(limits);
const struct command_list commands_setup = COMMAND_LIST(setup);

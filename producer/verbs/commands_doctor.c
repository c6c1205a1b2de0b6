/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet doctor`. */
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/doctor.h"

#define AT(member) offsetof(struct doctor_settings, member)

// clang-format off
static const struct opt check_rows[] = {
    {"deadline", 0, OPT_MS, AT(deadline_ms), "5s", 100, 300000, OPT_NO_ENV, NULL, "<duration>", "Longest that a check may take."},
    {"lease", 0, OPT_MS, AT(lease_ms), "10s", 1000, 600000, 0, NULL, "<duration>", "The workers' lease, by which a silent one is told from one that is alive."},
};

static const struct opt service_rows[] = {
    {"e2b-api-url", 0, OPT_STRING, AT(e2b_api_url), NULL, 1, 2048, 0, "E2B_API_URL", "<url>", "E2B's control plane, or a compatible one; by default https://api. and the domain."},
    {"e2b-domain", 0, OPT_STRING, AT(e2b_domain), "e2b.app", 1, 255, 0, "E2B_DOMAIN", "<domain>", "Domain of the control plane."},
    {"e2b-api-key", 0, OPT_STRING, AT(e2b_api_key), NULL, 1, 4096, OPT_SECRET, "E2B_API_KEY", NULL, "Key of the sandbox service."},
    {"ca-file", 0, OPT_STRING, AT(ca_file), NULL, 1, 4096, 0, NULL, "<path>", "Authorities (PEM) that the sandbox service's certificate is checked against, instead of the system's."},
};
// clang-format on

static const struct option_set of_checks = OPTION_SET("Checks", check_rows);
static const struct option_set of_service = OPTION_SET("Sandbox service", service_rows);

static const struct command rows[] = {
    {.name = "doctor",
     .args = "",
     .help = "Checks every part of the installation; tells the next step for what fails.",
     .scope = SCOPE_READ,
     .options = OPTIONS(&options_answer, &of_checks, &options_kafka, &options_database,
                        &options_api, &of_service),
     .run = command_doctor,
     .size = sizeof(struct doctor_settings),
     .config = CONFIG_REPORTED,
     .more =
         "The parts: the configuration file; Kafka, and that the topics are as `sandfleet topics "
         "apply` would have them; Postgres, its tables' version and its clock; workers that "
         "beat; the sink's position; the API and your key; the sandbox service. What hangs on "
         "a part that failed is skipped; so are the database without --database, and the sandbox "
         "service without its key.\n\n"
         "The exit status is 0 when nothing failed, else that of the first check that did: 75 "
         "for what cannot be reached, 78 for what is not as it has to be, 4 for a key that is "
         "missing or refused, 2 for a -X that means nothing.",
     .examples = "sandfleet doctor --profile prod\n"
                 "sandfleet doctor -o json | jq '.[] | select(.state == \"failed\")'"},
};

const struct command_list commands_doctor = COMMAND_LIST(rows);

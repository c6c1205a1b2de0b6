/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet run` and `sandfleet submit`. */
#include <stddef.h>

#include "producer/batch/batch_client.h"
#include "producer/commands.h"
#include "schema/run_request.h"

#define AT(member) offsetof(struct client, member)

// clang-format off
static const struct opt wait_rows[] = {
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, 86400000, OPT_NO_ENV, NULL, "<duration>", "Stops following after so long (exit status 124); the run goes on."},
    {"full", 0, OPT_BOOL, AT(full), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Shows thoughts and tools' results as a whole, not their first lines."},
};

static const struct opt file_rows[] = {
    {"file", 'f', OPT_STRING, AT(file), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "A file of prompts, as for `batch submit`; - is standard input."},
};
// clang-format on

static const struct option_set of_file = OPTION_SET("A file of prompts", file_rows);
const struct option_set options_wait = OPTION_SET("Waiting", wait_rows);

static const struct command rows[] = {
    {.name = "run",
     .args = "[PROMPT]",
     .help = "Submits one prompt and follows the run to its end.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &options_wait, &options_request, &options_one,
                        &options_kafka, &options_api),
     .max_words = 1,
     .run = command_run,
     .more = "Where --api-url says where sandfleet-api answers, the run is followed through it; "
             "else on the\n"
             "events topic. Ctrl-C lets go of the run, which goes on, and says how to come back."},
    {.name = "submit",
     .args = "[PROMPT | -]",
     .help = "Submits a prompt or a file of prompts; prints the run ids.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &of_file, &options_batch_file, &options_batch_submit,
                        &options_one, &options_request, &options_kafka),
     .max_words = 1,
     .size = sizeof(struct batch_client),
     .run = command_submit},
};

const struct command_list commands_run = COMMAND_LIST(rows);

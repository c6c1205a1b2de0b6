/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch submit|validate`: a file of prompts. */
#include <stddef.h>

#include "producer/batch/batch_client.h"
#include "producer/commands.h"
#include "schema/run_request.h"

#define AT(member)  offsetof(struct client, member)
#define ATB(member) offsetof(struct batch_client, member)

// clang-format off
static const struct opt file_rows[] = {
    {"template", 0, OPT_STRING, ATB(prompt_template), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "A prompt with {{names}}, which each row of --data fills."},
    {"data", 0, OPT_STRING, ATB(data), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "Rows for --template, CSV with a header or JSON Lines; - is standard input."},
    {"format", 0, OPT_STRING, ATB(format), "auto", 1, 16, OPT_NO_ENV, NULL, "<auto|jsonl|text|csv>", "What the file is; auto goes by its first character."},
    {"batch", 0, OPT_STRING, AT(batch), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "The batch's name; when not given it derives from the file's content and the options."},
};

static const struct opt submit_rows[] = {
    {"lane", 0, OPT_STRING, AT(lane), NULL, 0, 0, OPT_NO_ENV, NULL, "<interactive|batch>", "Which lane it takes; batch for a file, else interactive."},
    {"skip-invalid", 0, OPT_BOOL, AT(skip_invalid), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Submits the good lines of a file that has bad ones."},
};
// clang-format on

const struct option_set options_batch_file = OPTION_SET("The file", file_rows);
const struct option_set options_batch_submit = OPTION_SET("Submitting it", submit_rows);

#define FILE_ARGS "FILE | - | --template FILE --data ROWS"

static const char forms[] =
    "A file is one of these, plain or gzip:\n"
    "\n"
    "  JSON Lines   {\"custom_id\":\"a\",\"prompt\":\"…\"} a line, with any field of a run "
    "request;\n"
    "               or {\"custom_id\":\"a\",\"params\":{…}} as in the Message Batches format: "
    "model,\n"
    "               system, one user message of text, metadata.user_id and output_config.format\n"
    "               are taken over, max_tokens is not heeded, and what has no meaning for an\n"
    "               agent (temperature, tools, …) is refused with its place.\n"
    "  plain text   a prompt a line.\n"
    "  rows         CSV with a header, or JSON Lines: each fills --template, where {{name}} is "
    "the\n"
    "               column of that name and \\{{ stands for {{. custom_id, where there is one, is\n"
    "               the run's.\n"
    "\n"
    "Every line is checked before anything is sent, and each bad one is told with its number.\n"
    "\n"
    "Run ids derive from the batch's name and the custom_id, so submitting the same file again, "
    "or\n"
    "after an interruption, doubles nothing. A line without custom_id gets auto- and the first 16 "
    "hex\n"
    "digits of its BLAKE2b-128 (of a row: of its prompt), and -2, -3, … where lines are the same: "
    "a\n"
    "run for each, and the same ones whenever the file is submitted. Without --batch the batch is\n"
    "file- and a hash of content and options: another content or option makes another batch. Under "
    "a\n"
    "--batch that has the custom_id already, another prompt or option for it changes nothing: the\n"
    "first run stands, and the line becomes a dead letter (`sandfleet dlq list --reason "
    "conflict`).";

static const struct command rows[] = {
    {.name = "batch submit",
     .args = FILE_ARGS,
     .help = "Submits a file of prompts; prints a run id and a custom_id a line.",
     .scope = SCOPE_SUBMIT,
     .options = OPTIONS(&options_answer, &options_batch_file, &options_batch_submit,
                        &options_request, &options_kafka),
     .max_words = 1,
     .size = sizeof(struct batch_client),
     .run = command_batch_submit,
     .more = forms,
     .examples = "  sandfleet batch submit prompts.jsonl --batch nightly\n"
                 "  sandfleet batch submit --template review.md --data files.csv -m sonnet\n"
                 "  gunzip -c old.jsonl.gz | head -100 | sandfleet batch submit - -o jsonl"},
    {.name = "batch validate",
     .args = FILE_ARGS,
     .help = "Checks a file of prompts as submitting does, and tells all that is bad.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(&options_answer, &options_batch_file, &options_request),
     .max_words = 1,
     .size = sizeof(struct batch_client),
     .run = command_batch_validate,
     .more = forms},
};

const struct command_list commands_batch_file = COMMAND_LIST(rows);

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's option rows: one row a setting, shared by the commands that have it. */
#include <stddef.h>

#include "producer/client.h"
#include "schema/cancel.h"
#include "schema/run_request.h"

#define DAY_MS     INT64_C(86400000)
#define AT(member) offsetof(struct client, member)

// clang-format off
#define KAFKA_ROWS \
    {"brokers", 'b', OPT_STRING, AT(brokers), "127.0.0.1:9092", 1, 4096, 0, NULL, "<host:port,…>", "Kafka brokers to start from."}, \
    {"prefix", 0, OPT_STRING, AT(prefix), "sandfleet.", 0, 64, 0, NULL, "<text>", "What the installation's topic names begin with."}, \
    {"kafka-prop", 'X', OPT_LIST, AT(props), NULL, 0, 0, OPT_NO_ENV, NULL, "<name=value>", "A librdkafka setting, for SASL, TLS and the like."}, \
    {"log-level", 0, OPT_STRING, AT(log_level), "warn", 0, 0, 0, NULL, "<level>", "Least level of log lines on standard error: error, warn, info, debug."}

#define HELP_ROW \
    {"help", 'h', OPT_BOOL, AT(help), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Prints this help and exits."}

#define ANSWER_ROWS \
    {"output", 'o', OPT_STRING, AT(output_text), "text", 0, 0, OPT_NO_ENV, NULL, "<form>", "How to answer: text, json or jsonl (an event a line)."}, \
    {"quiet", 'q', OPT_BOOL, AT(quiet), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Says nothing but the answer and errors."}

#define REQUEST_ROWS \
    {"prompt", 'p', OPT_STRING, AT(prompt), NULL, 0, 0, OPT_NO_ENV, NULL, "<text>", "The prompt, instead of the first word."}, \
    {"prompt-file", 0, OPT_STRING, AT(prompt_file), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "A file that holds the prompt; - is standard input."}, \
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose run it is."}, \
    {"model", 'm', OPT_STRING, AT(model), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Model; always name one, the CLI's default depends on the credential."}, \
    {"session", 's', OPT_STRING, AT(session), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Session to go on with: the same sandbox and conversation."}, \
    {"on-busy", 0, OPT_STRING, AT(on_busy), NULL, 1, 16, OPT_NO_ENV, NULL, "<policy>", "When the session has an earlier run: enqueue, reject (ends at once), or interrupt (that one ends, this one is next)."}, \
    {"system-prompt", 0, OPT_STRING, AT(system_prompt), NULL, 1, RUN_PROMPT_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "Text appended to the system prompt."}, \
    {"template", 0, OPT_STRING, AT(template), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Sandbox template; claude when not given."}, \
    {"working-dir", 0, OPT_STRING, AT(working_dir), NULL, 1, 1024, OPT_NO_ENV, NULL, "<path>", "Directory to work in, relative to the sandbox's home."}, \
    {"credential", 0, OPT_STRING, AT(credential), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Credential the workers hold; a secret itself is never given here."}, \
    {"allowed-tool", 0, OPT_LIST, AT(allowed_tools), NULL, 0, 0, OPT_NO_ENV, NULL, "<tool>", "A tool the agent may use."}, \
    {"env", 'e', OPT_LIST, AT(env), NULL, 0, 0, OPT_NO_ENV, NULL, "<NAME=value>", "A plain variable in the sandbox, no secret."}, \
    {"max-turns", 0, OPT_INT, AT(max_turns), NULL, 1, 10000, OPT_NO_ENV, NULL, "<n>", "Most turns of the agent."}, \
    {"max-budget", 0, OPT_MONEY, AT(max_budget_usd), NULL, 0, 0, OPT_NO_ENV, NULL, "<dollars>", "Most that the run may cost, by Claude's own estimate."}, \
    {"timeout", 't', OPT_MS, AT(timeout_ms), NULL, 1000, (int64_t)RUN_TIMEOUT_MAX_S * 1000, 0, NULL, "<duration>", "Longest an attempt may run; 1h when not given."}, \
    {"max-attempts", 0, OPT_INT, AT(max_attempts), NULL, 1, RUN_ATTEMPTS_MAX, 0, NULL, "<n>", "Most attempts that count; 3 when not given."}, \
    {"priority", 0, OPT_INT, AT(priority), NULL, 0, 9, OPT_NO_ENV, NULL, "<0-9>", "Higher is taken first; 5 when not given."}, \
    {"ack-timeout", 0, OPT_MS, AT(ack_ms), "30s", 100, 3600000, 0, NULL, "<duration>", "Longest wait for an acknowledgement by Kafka."}

#define ONE_ROWS \
    {"custom-id", 0, OPT_STRING, AT(custom_id), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Your own name for the run."}, \
    {"idempotency-key", 0, OPT_STRING, AT(idempotency_key), NULL, 1, 2 * RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "The same key makes the same run id, and runs once."}

#define WAIT_ROW \
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, 86400000, OPT_NO_ENV, NULL, "<duration>", "Stops following after so long (exit status 124); the run goes on."}

#define DATABASE_ROW \
    {"database", 'd', OPT_STRING, AT(database), NULL, 1, 4096, 0, NULL, "<conninfo>", "PostgreSQL connection string, as libpq reads it."}

const struct opt client_run_rows[] = {
    KAFKA_ROWS, HELP_ROW, ANSWER_ROWS, REQUEST_ROWS, ONE_ROWS, WAIT_ROW,
};

const struct opt client_submit_rows[] = {
    KAFKA_ROWS, HELP_ROW, ANSWER_ROWS, REQUEST_ROWS, ONE_ROWS,
    {"file", 'f', OPT_STRING, AT(file), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "JSON Lines, an object a line with prompt and custom_id; - is standard input."},
    {"batch", 0, OPT_STRING, AT(batch), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "The batch's name; submitting again under the same name doubles nothing."},
    {"lane", 0, OPT_STRING, AT(lane), NULL, 0, 0, OPT_NO_ENV, NULL, "<lane>", "interactive or batch; batch for a file, else interactive."},
    {"skip-invalid", 0, OPT_BOOL, AT(skip_invalid), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Submits the good lines of a file that has bad ones."},
};

const struct opt client_follow_rows[] = { KAFKA_ROWS, HELP_ROW, ANSWER_ROWS, WAIT_ROW };

const struct opt client_cancel_rows[] = {
    HELP_ROW, ANSWER_ROWS, DATABASE_ROW,
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose runs they are."},
    {"batch", 0, OPT_STRING, AT(batch), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "All runs of this batch, also those that are submitted to it later."},
    {"force", 0, OPT_BOOL, AT(force), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Kills the sandbox at once: no result, and the attempt's cost stays unknown."},
    {"requested-by", 0, OPT_STRING, AT(requested_by), NULL, 1, CANCEL_BY_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Who asks, as the events tell it; your login name when not given."},
    {"wait", 'w', OPT_MS, AT(wait_ms), NULL, 1, 86400000, OPT_NO_ENV, NULL, "<duration>", "Waits so long until all have ended (exit status 124: not all have)."},
};

const struct opt client_events_rows[] = {
    HELP_ROW, DATABASE_ROW,
    {"output", 'o', OPT_STRING, AT(output_text), "text", 0, 0, OPT_NO_ENV, NULL, "<form>", "How to answer: text, json (one page) or jsonl (a line each)."},
    {"since", 0, OPT_INT, AT(since), "0", 0, INT64_MAX, OPT_NO_ENV, NULL, "<sequence>", "Only what comes behind this sequence."},
    {"limit", 0, OPT_INT, AT(limit), "1000", 1, 1000000, OPT_NO_ENV, NULL, "<n>", "At most so many."},
    {"gaps", 0, OPT_BOOL, AT(gaps), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Lines that are known to be missing, of this run or of all; none is how it should be."},
};

const struct opt client_retention_rows[] = {
    HELP_ROW, DATABASE_ROW,
    {"keep", 0, OPT_MS, AT(keep_ms), NULL, DAY_MS, 36500 * DAY_MS, OPT_NO_ENV, NULL, "<duration>", "How long events are kept, from the day their run was created: 90d."},
    {"dry-run", 0, OPT_BOOL, AT(dry_run), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Only tells what would be dropped."},
};

const struct opt client_topics_rows[] = {
    KAFKA_ROWS, HELP_ROW,
    {"repartition", 0, OPT_BOOL, AT(repartition), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Adds partitions where topics.yaml asks for more; only while no run is open."},
};

const struct opt client_migrate_rows[] = {
    HELP_ROW, DATABASE_ROW,
};

const struct opt client_limits_rows[] = {
    HELP_ROW, DATABASE_ROW,
    {"output", 'o', OPT_STRING, AT(output_text), "text", 0, 0, OPT_NO_ENV, NULL, "<form>", "How to answer: text or json."},
};
// clang-format on

const size_t client_run_n = COUNTOF(client_run_rows);
const size_t client_submit_n = COUNTOF(client_submit_rows);
const size_t client_follow_n = COUNTOF(client_follow_rows);
const size_t client_cancel_n = COUNTOF(client_cancel_rows);
const size_t client_events_n = COUNTOF(client_events_rows);
const size_t client_retention_n = COUNTOF(client_retention_rows);
const size_t client_topics_n = COUNTOF(client_topics_rows);
const size_t client_migrate_n = COUNTOF(client_migrate_rows);
const size_t client_limits_n = COUNTOF(client_limits_rows);

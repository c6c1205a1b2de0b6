/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/options.h"

#include <stddef.h>

#include "producer/client.h"
#include "schema/run_request.h"

#define AT(member) offsetof(struct client, member)

// clang-format off
static const struct opt general[] = {
    {"help", 'h', OPT_BOOL, AT(help), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Prints this help and exits."},
    {"config", 0, OPT_STRING, AT(config), NULL, 1, 4096, 0, NULL, "<path>", "The configuration file; sandfleet/config in $XDG_CONFIG_HOME or ~/.config when not given."},
    {"profile", 0, OPT_STRING, AT(profile), NULL, 1, 64, 0, NULL, "<name>", "Which profile of the configuration file; the one that the file says when not given."},
    {"log-level", 0, OPT_STRING, AT(log_level), "warn", 0, 0, 0, NULL, "<error|warn|info|debug>", "Least level of log lines on standard error."},
};

static const struct opt answer[] = {
    {"output", 'o', OPT_STRING, AT(output_text), "text", 0, 0, OPT_NO_ENV, NULL, "<text|json|jsonl>", "How to answer; jsonl has a line an item."},
    {"quiet", 'q', OPT_BOOL, AT(quiet), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Says nothing but the answer and errors."},
};

static const struct opt kafka[] = {
    {"brokers", 'b', OPT_STRING, AT(brokers), "127.0.0.1:9092", 1, 4096, 0, NULL, "<host:port,…>", "Kafka brokers to start from."},
    {"prefix", 0, OPT_STRING, AT(prefix), "sandfleet.", 0, 64, 0, NULL, "<text>", "What the installation's topic names begin with."},
    {"kafka-config", 0, OPT_STRING, AT(kafka_config), NULL, 1, 4096, 0, NULL, "<path>", "File of librdkafka settings, name=value a line, closed to others: for SASL passwords."},
    {"kafka-prop", 'X', OPT_LIST, AT(props), NULL, 0, 0, OPT_NO_ENV | OPT_CONFIG | OPT_MERGE, NULL, "<name=value>", "A librdkafka setting, for SASL, TLS and the like."},
};

static const struct opt database[] = {
    {"database", 'd', OPT_STRING, AT(database), NULL, 1, 4096, 0, NULL, "<conninfo>", "PostgreSQL connection string, as libpq reads it."},
};

static const struct opt api[] = {
    {"api-url", 0, OPT_STRING, AT(api_url), NULL, 1, 4096, 0, NULL, "<url>", "Where sandfleet-api answers; http://127.0.0.1:8080 when not given."},
    {"api-key", 0, OPT_STRING, AT(api_key), NULL, 1, 4096, OPT_SECRET, NULL, NULL, "Key that sandfleet-api knows you by."},
    {"api-ca-file", 0, OPT_STRING, AT(api_ca_file), NULL, 1, 4096, 0, NULL, "<path>", "Authorities (PEM) that sandfleet-api's certificate is checked against, instead of the system's."},
};

static const struct opt tenant[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose runs they are; another one's than the key's needs a key that may act for all."},
};

static const struct opt request[] = {
    {"tenant", 0, OPT_STRING, AT(tenant), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Whose run it is."},
    {"model", 'm', OPT_STRING, AT(model), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Model; always name one, the CLI's default depends on the credential."},
    {"session", 's', OPT_STRING, AT(session), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Session to go on with: the same sandbox and conversation."},
    {"on-busy", 0, OPT_STRING, AT(on_busy), NULL, 1, 16, OPT_NO_ENV, NULL, "<enqueue|reject|interrupt>", "When the session has an earlier run: enqueue, reject (ends at once), or interrupt (that one ends, this one is next)."},
    {"system-prompt", 0, OPT_STRING, AT(system_prompt), NULL, 1, RUN_PROMPT_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "Text appended to the system prompt."},
    {"sandbox-template", 0, OPT_STRING, AT(template), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Template that the sandbox is made from; claude when not given."},
    {"working-dir", 0, OPT_STRING, AT(working_dir), NULL, 1, 1024, OPT_NO_ENV, NULL, "<path>", "Directory to work in, relative to the sandbox's home."},
    {"credential", 0, OPT_STRING, AT(credential), NULL, 1, RUN_NAME_MAX_BYTES, 0, NULL, "<name>", "Credential the workers hold; a secret itself is never given here."},
    {"allowed-tool", 0, OPT_LIST, AT(allowed_tools), NULL, 0, 0, OPT_NO_ENV, NULL, "<tool>", "A tool the agent may use."},
    {"env", 'e', OPT_LIST, AT(env), NULL, 0, 0, OPT_NO_ENV, NULL, "<NAME=value>", "A plain variable in the sandbox, no secret."},
    {"max-turns", 0, OPT_INT, AT(max_turns), NULL, 1, 10000, OPT_NO_ENV, NULL, "<n>", "Most turns of the agent."},
    {"max-budget", 0, OPT_MONEY, AT(max_budget_usd), NULL, 0, 0, OPT_NO_ENV, NULL, "<dollars>", "Most that the run may cost, by Claude's own estimate."},
    {"timeout", 't', OPT_MS, AT(timeout_ms), NULL, 1000, (int64_t)RUN_TIMEOUT_MAX_S * 1000, 0, NULL, "<duration>", "Longest an attempt may run; 1h when not given."},
    {"max-attempts", 0, OPT_INT, AT(max_attempts), NULL, 1, RUN_ATTEMPTS_MAX, 0, NULL, "<n>", "Most attempts that count; 3 when not given."},
    {"priority", 0, OPT_INT, AT(priority), NULL, 0, 9, OPT_NO_ENV, NULL, "<0-9>", "Higher is taken first; 5 when not given."},
    {"ack-timeout", 0, OPT_MS, AT(ack_ms), "30s", 100, 3600000, 0, NULL, "<duration>", "Longest wait for an acknowledgement by Kafka."},
};

static const struct opt one[] = {
    {"prompt", 'p', OPT_STRING, AT(prompt), NULL, 0, 0, OPT_NO_ENV, NULL, "<text>", "The prompt, instead of the first word."},
    {"prompt-file", 0, OPT_STRING, AT(prompt_file), NULL, 1, 4096, OPT_NO_ENV, NULL, "<path>", "A file that holds the prompt; - is standard input."},
    {"custom-id", 0, OPT_STRING, AT(custom_id), NULL, 1, RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<name>", "Your own name for the run."},
    {"idempotency-key", 0, OPT_STRING, AT(idempotency_key), NULL, 1, 2 * RUN_NAME_MAX_BYTES, OPT_NO_ENV, NULL, "<text>", "The same key makes the same run id, and runs once; another request under it is a dead letter (conflict)."},
};
// clang-format on

const struct option_set options_general = OPTION_SET("General", general);
const struct option_set options_answer = OPTION_SET("Answer", answer);
const struct option_set options_kafka = OPTION_SET("Kafka", kafka);
const struct option_set options_database = OPTION_SET("Database", database);
const struct option_set options_api = OPTION_SET("API", api);
const struct option_set options_tenant = OPTION_SET("Tenant", tenant);
const struct option_set options_request = OPTION_SET("The run", request);
const struct option_set options_one = OPTION_SET("The prompt", one);

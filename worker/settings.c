/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/settings.h"

#include <stddef.h>

#include "common/log.h"
#include "common/secret/keyring.h"
#include "worker/sandbox/pool.h"
#include "common/banned.h"

enum { STORE_KEY_LEAST_BYTES = 32 };

#define AT(field) offsetof(struct settings, field)

// clang-format off
static const struct opt rows[] = {
    { "brokers", 'b', OPT_STRING, AT(brokers), "127.0.0.1:9092", 1, 4096, 0, NULL,
      "<host:port,…>", "Kafka brokers to start from." },
    { "database", 'd', OPT_STRING, AT(database), "", 0, 4096, 0, NULL,
      "<conninfo>", "PostgreSQL connection string of the ledger, as libpq reads it." },
    { "prefix", 0, OPT_STRING, AT(prefix), "sandfleet.", 0, 64, 0, NULL,
      "<text>", "What the names of topics and of the consumer group begin with." },
    { "kafka-config", 0, OPT_STRING, AT(kafka_config), NULL, 1, 4096, 0, NULL,
      "<path>", "File of librdkafka settings, name=value a line, closed to others: for SASL passwords." },
    { "kafka-prop", 'X', OPT_LIST, AT(kafka_props), NULL, 0, 0, OPT_NO_ENV, NULL,
      "<name=value>", "A librdkafka setting, for SASL, TLS and the like." },
    { "fleet", 0, OPT_STRING, AT(fleet), "sandfleet", 1, 64, 0, NULL,
      "<name>", "Tag in each sandbox's metadata that says whose it is." },
    { "slots", 'n', OPT_INT, AT(slots), "50", 1, 10000, 0, NULL,
      "<number>", "How many runs this worker drives at once." },
    { "lease", 0, OPT_MS, AT(lease_ms), "10s", 1000, 600000, 0, NULL,
      "<duration>", "How long this worker may be silent before others take its runs over; the same in the whole fleet." },
    { "drain", 0, OPT_MS, AT(drain_ms), "30s", 0, 86400000, 0, NULL,
      "<duration>", "How long runs may go on after SIGTERM before they are handed to other workers." },
    { "cancel-grace", 0, OPT_MS, AT(cancel_ms), "1s", 0, 600000, 0, NULL,
      "<duration>", "How long a cancelled agent, once interrupted, may take to end its turn and tell its cost, before it is killed; the end comes about half a second behind that." },
    { "e2b-api-url", 0, OPT_STRING, AT(e2b_api_url), NULL, 1, 2048, 0, "E2B_API_URL",
      "<url>", "E2B's control plane, or a compatible one; by default https://api. and the domain." },
    { "e2b-sandbox-url", 0, OPT_STRING, AT(e2b_sandbox_url), NULL, 0, 2048, 0, "E2B_SANDBOX_URL",
      "<url>", "One address for all sandboxes; by default the one of E2B's domain, else each has a host name of its own." },
    { "e2b-domain", 0, OPT_STRING, AT(e2b_domain), "e2b.app", 1, 255, 0, "E2B_DOMAIN",
      "<domain>", "Domain of the control plane and of the sandboxes." },
    { "drain-delay", 0, OPT_MS, AT(drain_delay_ms), "5ms", 0, 1000, 0, NULL,
      "<duration>", "How long a sandbox's output waits on average, so that many lines are read at once; 0: not at all." },
    { "ca-file", 0, OPT_STRING, AT(ca_file), NULL, 0, 4096, 0, NULL,
      "<file>", "Certificates of authorities (PEM) to trust instead of the system's; proxies come from HTTPS_PROXY and NO_PROXY." },
    { "e2b-api-key", 0, OPT_STRING, AT(e2b_api_key), NULL, 1, 4096, OPT_SECRET, "E2B_API_KEY",
      "<key>", "Key of the sandbox service." },
    { "e2b-cpu-usd-hour", 0, OPT_MONEY, AT(e2b_cpu_usd_hour), "0.0504", 0, 1000, 0, NULL,
      "<dollars>", "Price of one sandbox CPU for an hour, from which costs are reckoned." },
    { "e2b-gib-usd-hour", 0, OPT_MONEY, AT(e2b_gib_usd_hour), "0.0162", 0, 1000, 0, NULL,
      "<dollars>", "Price of one GiB of sandbox memory for an hour." },
    { "warm", 'w', OPT_LIST, AT(warm), NULL, 0, 0, 0, NULL,
      "<template=number>", "How many sandboxes of a template the fleet keeps ready for the next run." },
    { "warm-age", 0, OPT_MS, AT(warm_age_ms), "10m", 1000, 86400000, 0, NULL,
      "<duration>", "How long a ready sandbox may wait before a new one replaces it." },
    { "claude-update", 0, OPT_STRING, AT(claude_update), "never", 1, 16, 0, NULL,
      "<when>", "Whether `claude update` is done once in each new sandbox of template claude: never or once." },
    { "park", 0, OPT_MS, AT(park_ms), "30m", 0, 86400000, 0, NULL,
      "<duration>", "How long a session's sandbox waits for the session's next run; 0s ends it at once." },
    { "park-mode", 0, OPT_STRING, AT(park_mode), "keep", 1, 16, 0, NULL,
      "<mode>", "How it waits: keep leaves it running, pause freezes it, which costs nothing but takes time." },
    { "heartbeat", 0, OPT_MS, AT(heartbeat_ms), "60s", 0, 86400000, 0, NULL,
      "<duration>", "How often a run that is under way says so on the events topic; 0s: never." },
    { "silence-limit", 0, OPT_MS, AT(silence_ms), "30m", 0, 86400000, 0, NULL,
      "<duration>", "How long an agent may print nothing before it is ended and tried once more; 0s: for ever. One that answers at length prints nothing for many minutes." },
    { "tool-result-limit", 0, OPT_MS, AT(tool_result_ms), "20m", 0, 86400000, 0, NULL,
      "<duration>", "The same behind the result of its last tool." },
    { "result-limit", 0, OPT_MS, AT(result_ms), "5m", 0, 86400000, 0, NULL,
      "<duration>", "How long an agent may live on behind its result, with nothing in the background, before it is ended; its result counts." },
    { "store", 0, OPT_STRING, AT(store), NULL, 0, 4096, 0, NULL,
      "<directory>", "Where sessions' transcripts are kept, so that a session goes on when its sandbox is gone; all workers share it." },
    { "store-key", 0, OPT_STRING, AT(store_key), NULL, 1, 4096, OPT_SECRET, NULL,
      "<key>", "Seals what is stored, the same in the whole fleet; without it the known secrets are masked." },
    { "session-keep", 0, OPT_MS, AT(session_keep_ms), "30d", 60000, 31536000000, 0, NULL,
      "<duration>", "How long a session that nobody goes on with is remembered, and its transcript kept." },
    { "janitor", 0, OPT_MS, AT(janitor_ms), "15s", 100, 3600000, 0, NULL,
      "<duration>", "How often the sandboxes that the service lists are compared with the ledger." },
    { "janitor-grace", 0, OPT_MS, AT(janitor_grace_ms), "30s", 0, 3600000, 0, NULL,
      "<duration>", "How long a sandbox must have been seen without an owner before it is killed." },
    { "master-key-file", 0, OPT_STRING, AT(key_file), NULL, 1, 4096, 0, NULL,
      "<file>", "Master keys that open the credentials of `sandfleet cred`, a line of 64 hex digits each; only its owner may read it. By default " KEYRING_CREDENTIAL " in $CREDENTIALS_DIRECTORY (systemd)." },
    { "master-key-command", 0, OPT_STRING, AT(key_command), NULL, 1, 4096, 0, NULL,
      "<command>", "A shell command that prints them instead, such as one that asks a key manager." },
    { "credential-mode", 0, OPT_STRING, AT(credential_mode), "fd", 1, 16, 0, NULL,
      "<mode>", "How agents come to their credentials: with proxy the sandbox service adds them outside, by its network rules, so that they never enter a sandbox, and where it does not, runs wait; prefer has it try, and gives them by file descriptor where it does not; fd always gives them so." },
    { "redact-patterns", 0, OPT_STRING, AT(redact_patterns), NULL, 1, 4096, 0, NULL,
      "<file>", "More formats of keys to cut out of what agents print, one a line, as acme_[A-Za-z0-9]{20,}: behind a beginning of its own a class of bytes and how many." },
    { "claude-base-url", 0, OPT_STRING, AT(base_url), NULL, 0, 2048, 0, "ANTHROPIC_BASE_URL",
      "<url>", "Address of the model's API for the agents whose credential has none of its own." },
    { "metrics-listen", 0, OPT_STRING, AT(metrics_listen), NULL, 1, 255, 0, NULL,
      "<address:port>", "Where /metrics (for Prometheus), /healthz and /readyz are answered, as 127.0.0.1:9464; by default nowhere. They have no password: no public address." },
    { "artifacts", 0, OPT_STRING, AT(artifacts), NULL, 0, 1024, 0, NULL,
      "<place>", "Where runs' artifacts go: a directory, or s3://bucket/prefix." },
    { "s3-endpoint", 0, OPT_STRING, AT(s3_endpoint), NULL, 1, 1024, 0, NULL,
      "<url>", "Address of what speaks as S3; by default Amazon's of the region." },
    { "s3-region", 0, OPT_STRING, AT(s3_region), "us-east-1", 1, 64, 0, "AWS_REGION",
      "<region>", "Region of the S3 bucket." },
    { "s3-access-key", 0, OPT_STRING, AT(s3_key_id), NULL, 1, 256, OPT_SECRET, "AWS_ACCESS_KEY_ID",
      "<id>", "Access key of the S3 bucket." },
    { "s3-secret-key", 0, OPT_STRING, AT(s3_key), NULL, 1, 1024, OPT_SECRET, "AWS_SECRET_ACCESS_KEY",
      "<key>", "Its secret." },
    { "s3-session-token", 0, OPT_STRING, AT(s3_token), NULL, 1, 4096, OPT_SECRET, "AWS_SESSION_TOKEN",
      "<token>", "Token of temporary S3 keys." },
    { "local-files", 0, OPT_STRING, AT(local_files), NULL, 1, 4096, 0, NULL,
      "<folder>", "Folder whose files requests may name by file:///, as archives; and repositories, where sandboxes see it." },
    { "allow-private-urls", 0, OPT_BOOL, AT(allow_private_urls), NULL, 0, 0, 0, NULL,
      NULL, "Lets requests name archives at loopback, private and other addresses that are not public." },
    PROGRAM_ROWS(AT(common)),
};
// clang-format on

static enum err_code check_local_files(const struct settings *s, struct err *err)
{
    if (s->local_files && s->local_files[0] != '/')
        return err_set(err, ERR_USAGE, "--local-files: '%s' is not an absolute path",
                       s->local_files);
    return ERR_OK;
}

static enum err_code one_of(const char *flag, const char *value, const char *no, const char *yes,
                            bool *out, struct err *err)
{
    *out = str_is(str_of(value), yes);
    if (*out || str_is(str_of(value), no))
        return ERR_OK;
    return err_set(err, ERR_USAGE, "--%s: '%s' is not %s or %s", flag, value, no, yes);
}

static enum err_code check_mode(struct settings *s, struct err *err)
{
    struct str mode = str_of(s->credential_mode);

    s->proxy_only = str_is(mode, "proxy");
    s->proxy_credentials = s->proxy_only || str_is(mode, "prefer");
    if (s->proxy_credentials || str_is(mode, "fd"))
        return ERR_OK;
    return err_set(err, ERR_USAGE, "--credential-mode: '%s' is not fd, prefer or proxy",
                   s->credential_mode);
}

static enum err_code check_sandboxes(struct settings *s, struct err *err)
{
    struct pool_targets targets;
    enum err_code rc = pool_targets_parse(&s->warm, &targets, err);

    if (rc == ERR_OK)
        rc = one_of("claude-update", s->claude_update, "never", "once", &s->update_claude, err);
    if (rc == ERR_OK)
        rc = check_mode(s, err);
    if (rc == ERR_OK)
        rc = one_of("park-mode", s->park_mode, "keep", "pause", &s->park_pause, err);
    return rc;
}

/* A key that can be guessed seals nothing. */
static enum err_code check_store(const struct settings *s, struct err *err)
{
    if (!s->store_key || secret_value(s->store_key).n >= STORE_KEY_LEAST_BYTES)
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "the store key has fewer than %d bytes: make one by `openssl rand -hex 32`",
                   STORE_KEY_LEAST_BYTES);
}

enum err_code settings_parse(struct settings *s, int argc, char **argv, struct err *err)
{
    int words = 0;
    enum err_code rc = option_parse(rows, COUNTOF(rows), s, argc, argv, &words, err);

    if (rc == ERR_OK && words > 0)
        rc = err_set(err, ERR_USAGE, "'%s' is not a flag", argv[1]);
    if (rc == ERR_OK)
        rc = log_setup_as(s->common.log_level, s->common.log_format, err);
    if (rc == ERR_OK)
        rc = check_sandboxes(s, err);
    if (rc == ERR_OK)
        rc = check_store(s, err);
    if (rc == ERR_OK)
        rc = check_local_files(s, err);
    return rc;
}

void settings_help(FILE *to)
{
    fputs(
        "usage: sandfleet-worker [options]\n\n"
        "Takes run requests from Kafka, runs each in a sandbox, and streams what the agent\n"
        "prints to the events topic. Start as many as there is work for.\n\n"
        "SIGTERM: takes nothing more, lets its runs finish for as long as --drain says, and hands\n"
        "over what then still runs: another worker goes on at the line where it was, the agents\n"
        "notice nothing. A second one: hands over now. The log has a line a run, and how many.\n"
        "Exit status: 0 when it was told to go, whatever was handed over; 2 usage, 77 the sandbox\n"
        "service refused the key, 78 configuration, 70 a bug, 71 out of memory; behind each of\n"
        "these, too, others go on with its runs.\n\n",
        to);
    option_help(rows, COUNTOF(rows), to);
}

void settings_print(const struct settings *s, FILE *to)
{
    option_print(rows, COUNTOF(rows), s, to);
}

void settings_release(struct settings *s)
{
    option_release(rows, COUNTOF(rows), s);
}

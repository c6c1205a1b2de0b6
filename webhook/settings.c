/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/settings.h"

#include <stddef.h>

#include "common/secret/keyring.h"

#include "common/banned.h"

#define AT(field) offsetof(struct settings, field)

enum { LEASE_BEYOND_MS = 1000 /* for the answer's way to the database */ };

// clang-format off
const struct opt settings_rows[] = {
    {.name = "brokers", .type = OPT_STRING, .at = AT(brokers), .def = "127.0.0.1:9092", .min = 1, .max = 4096,
     .arg = "<host:port,…>", .help = "Kafka brokers to start from."},
    {.name = "database", .type = OPT_STRING, .at = AT(database), .min = 1, .max = 4096,
     .arg = "<conninfo>", .help = "PostgreSQL connection string, as libpq reads it."},
    {.name = "prefix", .type = OPT_STRING, .at = AT(prefix), .def = "sandfleet.", .min = 0, .max = 64,
     .arg = "<text>", .help = "Stands before the names of topics and of the consumer group."},
    {.name = "kafka-config", .type = OPT_STRING, .at = AT(kafka_config), .min = 1, .max = 4096,
     .arg = "<path>", .help = "File of librdkafka settings, name=value a line, closed to others: for SASL passwords."},
    {.name = "kafka-prop", .letter = 'X', .type = OPT_LIST, .at = AT(kafka_props), .flags = OPT_NO_ENV,
     .arg = "<name=value>", .help = "A librdkafka setting, for SASL, TLS and the like."},
    {.name = "master-key-file", .type = OPT_STRING, .at = AT(key_file), .min = 1, .max = 4096,
     .arg = "<file>", .help = "Master keys that open the keys of `sandfleet webhook`, a line of 64 hex digits each; only its owner may read it. By default " KEYRING_CREDENTIAL " in $CREDENTIALS_DIRECTORY (systemd)."},
    {.name = "master-key-command", .type = OPT_STRING, .at = AT(key_command), .min = 1, .max = 4096,
     .arg = "<command>", .help = "A shell command that prints them instead, such as one that asks a key manager."},
    {.name = "public-url", .type = OPT_STRING, .at = AT(public_url), .def = "", .min = 0, .max = 1024,
     .arg = "<url>", .help = "Where receivers find the HTTP API, as https://fleet.example: the link to a run begins with it."},
    {.name = "allow-net", .type = OPT_LIST, .at = AT(allow_nets), .env = "SANDFLEET_WEBHOOK_ALLOW_NET",
     .arg = "<network>", .help = "A network that is not public and may be sent to all the same, as 10.1.0.0/16; may come several times."},
    {.name = "ca-file", .type = OPT_STRING, .at = AT(ca_file), .min = 1, .max = 4096, .env = "SANDFLEET_WEBHOOK_CA_FILE",
     .arg = "<file>", .help = "PEM file of the authorities that receivers' certificates are checked against, instead of the system's."},
    {.name = "concurrency", .type = OPT_INT, .at = AT(concurrency), .def = "256", .min = 1, .max = 4096, .env = "SANDFLEET_WEBHOOK_CONCURRENCY",
     .arg = "<n>", .help = "Deliveries that are sent at once."},
    {.name = "per-endpoint", .type = OPT_INT, .at = AT(per_endpoint), .def = "4", .min = 1, .max = 256, .env = "SANDFLEET_WEBHOOK_PER_ENDPOINT",
     .arg = "<n>", .help = "The same to one endpoint; to one that failed three times in a row, one."},
    {.name = "timeout", .type = OPT_MS, .at = AT(timeout_ms), .def = "15s", .min = 10, .max = 300000, .env = "SANDFLEET_WEBHOOK_TIMEOUT",
     .arg = "<duration>", .help = "How long an endpoint has to answer, name and TLS included."},
    {.name = "retry-base", .type = OPT_MS, .at = AT(retry_base_ms), .def = "5s", .min = 1, .max = 3600000, .env = "SANDFLEET_WEBHOOK_RETRY_BASE",
     .arg = "<duration>", .help = "Longest wait before a delivery is sent the second time; it doubles each time."},
    {.name = "retry-cap", .type = OPT_MS, .at = AT(retry_cap_ms), .def = "2h", .min = 1, .max = 86400000, .env = "SANDFLEET_WEBHOOK_RETRY_CAP",
     .arg = "<duration>", .help = "Up to this."},
    {.name = "give-up", .type = OPT_MS, .at = AT(give_up_ms), .def = "24h", .min = 1, .max = 30 * INT64_C(86400000), .env = "SANDFLEET_WEBHOOK_GIVE_UP",
     .arg = "<duration>", .help = "How long a delivery is tried, then once more, and then no more."},
    {.name = "lease", .type = OPT_MS, .at = AT(lease_ms), .def = "1m", .min = 10, .max = 3600000, .env = "SANDFLEET_WEBHOOK_LEASE",
     .arg = "<duration>", .help = "When another process may send what this one took and said nothing of; longer than --timeout."},
    {.name = "poll", .type = OPT_MS, .at = AT(poll_ms), .def = "1s", .min = 10, .max = 60000, .env = "SANDFLEET_WEBHOOK_POLL",
     .arg = "<duration>", .help = "How often it looks for deliveries that are due again."},
    {.name = "keep", .type = OPT_MS, .at = AT(keep_ms), .def = "30d", .min = 86400000, .max = 3660 * INT64_C(86400000), .env = "SANDFLEET_WEBHOOK_KEEP",
     .arg = "<duration>", .help = "How long deliveries and their log are kept."},
    {.name = "metrics-listen", .type = OPT_STRING, .at = AT(metrics_listen), .min = 1, .max = 255,
     .arg = "<address:port>", .help = "Where /metrics (for Prometheus), /healthz and /readyz are answered, as 127.0.0.1:9465; by default nowhere. They have no password: no public address."},
    PROGRAM_ROWS(AT(common)),
};
// clang-format on
const size_t settings_n = COUNTOF(settings_rows);

enum err_code settings_check(void *settings, const char *word, struct err *err)
{
    struct settings *s = settings;
    struct str url = str_of(s->public_url);

    (void)word;
    if (!s->database && !program_asked(&s->common))
        return err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    if (s->lease_ms < s->timeout_ms + LEASE_BEYOND_MS)
        return err_set(err, ERR_USAGE,
                       "--lease must be %d s longer than --timeout, or another process "
                       "would send what is being sent",
                       LEASE_BEYOND_MS / 1000);
    if (url.n > 0 && !str_starts(url, "https://") && !str_starts(url, "http://"))
        return err_set(err, ERR_USAGE,
                       "--public-url: '%s' begins with neither https:// nor http://",
                       s->public_url);
    return guard_read(&s->guard, &s->allow_nets, err);
}

const char settings_usage[] =
    "usage: sandfleet-webhook [options]\n\n"
    "Tells endpoints by HTTP that runs came to an end, signed as Standard Webhooks has it.\n"
    "`sandfleet webhook` says which endpoints there are, and what became of each delivery.\n\n";

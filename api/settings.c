/* SPDX-License-Identifier: Apache-2.0 */
#include "api/settings.h"

#include <stddef.h>
#include <string.h>

#include "api/auth/cors.h"
#include "common/log.h"
#include "schema/run_request.h"

#include "common/banned.h"

#define AT(field) offsetof(struct settings, field)

// clang-format off
const struct opt api_settings_rows[] = {
    {.name = "listen", .letter = 'l', .type = OPT_STRING, .at = AT(listen), .def = "127.0.0.1:8080", .min = 1, .max = 256, .env = "SANDFLEET_API_LISTEN",
     .arg = "<host:port>", .help = "Address to answer at; port 0 takes a free one."},
    {.name = "tls-cert", .type = OPT_STRING, .at = AT(tls_cert), .min = 1, .max = 4096,
     .arg = "<path>", .help = "Answers by HTTPS with this certificate: PEM, its signers behind it."},
    {.name = "tls-key", .type = OPT_STRING, .at = AT(tls_key), .min = 1, .max = 4096,
     .arg = "<path>", .help = "The certificate's key, PEM, in a file closed to others."},
    {.name = "brokers", .type = OPT_STRING, .at = AT(brokers), .def = "127.0.0.1:9092", .min = 1, .max = 4096,
     .arg = "<host:port,…>", .help = "Kafka brokers to start from."},
    {.name = "database", .type = OPT_STRING, .at = AT(database), .min = 1, .max = 4096,
     .arg = "<conninfo>", .help = "PostgreSQL connection string, as libpq reads it."},
    {.name = "prefix", .type = OPT_STRING, .at = AT(prefix), .def = "sandfleet.", .min = 0, .max = 64,
     .arg = "<text>", .help = "What the installation's topic names begin with."},
    {.name = "kafka-config", .type = OPT_STRING, .at = AT(kafka_config), .min = 1, .max = 4096,
     .arg = "<path>", .help = "File of librdkafka settings, name=value a line, closed to others: for SASL passwords."},
    {.name = "kafka-prop", .letter = 'X', .type = OPT_LIST, .at = AT(kafka_props), .flags = OPT_NO_ENV,
     .arg = "<name=value>", .help = "A librdkafka setting, for SASL, TLS and the like."},
    {.name = "anonymous", .type = OPT_STRING, .at = AT(anonymous), .min = 1, .max = RUN_NAME_MAX_BYTES,
     .arg = "<tenant>", .help = "Answers everybody without a key, as this tenant with all permissions; on a loopback address only."},
    {.name = "key-rate", .type = OPT_INT, .at = AT(key_rate), .def = "200", .min = 0, .max = 100000,
     .arg = "<n>", .help = "Requests a second that one key may make (429); 0: as many as it likes."},
    {.name = "key-burst", .type = OPT_INT, .at = AT(key_burst), .def = "400", .min = 1, .max = 100000,
     .arg = "<n>", .help = "Requests that one key may make at once, after a pause."},
    {.name = "cors-origin", .type = OPT_LIST, .at = AT(cors_origins),
     .arg = "<origin>", .help = "Lets pages of this origin, as https://app.example.com, ask in a browser; may come several times, * is any. By default no page may."},
    {.name = "connections", .type = OPT_INT, .at = AT(connections), .def = "2000", .min = 16, .max = 100000,
     .arg = "<n>", .help = "Clients at once, besides open streams; more wait to be accepted."},
    {.name = "streams", .type = OPT_INT, .at = AT(streams), .def = "10000", .min = 0, .max = 100000,
     .arg = "<n>", .help = "Open streams of events at once; one more is answered 503."},
    {.name = "database-connections", .type = OPT_INT, .at = AT(database_connections), .def = "4", .min = 1, .max = 64,
     .arg = "<n>", .help = "Connections to the database."},
    {.name = "query-timeout", .type = OPT_MS, .at = AT(query_ms), .def = "5s", .min = 100, .max = 600000,
     .arg = "<duration>", .help = "Longest that a query may take (503)."},
    {.name = "ack-timeout", .type = OPT_MS, .at = AT(ack_ms), .def = "10s", .min = 100, .max = 600000,
     .arg = "<duration>", .help = "Longest wait for an acknowledgement by Kafka (503)."},
    {.name = "idempotency-keep", .type = OPT_MS, .at = AT(idempotency_ms), .def = "24h", .min = 60000, .max = INT64_C(30) * 86400000,
     .arg = "<duration>", .help = "How long the answer to an Idempotency-Key is kept; a run that it made is not doubled behind that, either."},
    {.name = "request-timeout", .type = OPT_MS, .at = AT(request_ms), .def = "60s", .min = 1000, .max = 3600000,
     .arg = "<duration>", .help = "Longest a request may take from its first byte to its answer's last, but for a long body of items or a stream; one whose body is not there by then is answered 408."},
    {.name = "spool", .type = OPT_STRING, .at = AT(spool), .def = "/var/tmp", .min = 1, .max = 1024,
     .arg = "<folder>", .help = "Where the answers to a long body of items wait for its end, in a file without a name."},
    {.name = "heartbeat", .type = OPT_MS, .at = AT(heartbeat_ms), .def = "15s", .min = 100, .max = 600000,
     .arg = "<duration>", .help = "How long a stream of events is silent at most; a reader that takes nothing for two of them is cut off."},
    {.name = "drain", .type = OPT_MS, .at = AT(drain_ms), .def = "20s", .min = 0, .max = 3600000,
     .arg = "<duration>", .help = "How long requests under way may go on behind the first SIGTERM."},
    {.name = "log-user-data", .type = OPT_BOOL, .at = AT(log_user_data),
     .help = "Shows user data in the log; without it, only its length and hash."},
    PROGRAM_ROWS(AT(common)),
};
// clang-format on
const size_t api_settings_n = COUNTOF(api_settings_rows);

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0;
}

static enum err_code check_origins(const struct opt_list *origins, struct err *err)
{
    for (size_t i = 0; i < origins->n; i++)
        if (!cors_origin_ok(str_of(origins->items[i])))
            return err_set(err, ERR_USAGE,
                           "--cors-origin is scheme, host and port alone, as "
                           "https://app.example.com, not '%.60s'",
                           origins->items[i]);
    return ERR_OK;
}

enum err_code api_settings_check(void *settings, const char *word, struct err *err)
{
    const struct settings *s = settings;

    (void)word;
    log_user_data(s->log_user_data);
    if (!s->database && !program_asked(&s->common))
        return err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    if (!s->tls_cert != !s->tls_key)
        return err_set(err, ERR_USAGE, "--tls-cert and --tls-key go together: %s is missing",
                       s->tls_cert ? "--tls-key" : "--tls-cert");
    if (s->anonymous && !run_name_ok(str_of(s->anonymous)))
        return err_set(err, ERR_USAGE, "--anonymous: '%.40s' is no tenant's name", s->anonymous);
    if (s->anonymous && !is_loopback(s->listen))
        return err_set(err, ERR_USAGE,
                       "--anonymous answers everybody, so --listen must be a loopback address, "
                       "not '%.60s'",
                       s->listen);
    return check_origins(&s->cors_origins, err);
}

const char api_settings_usage[] =
    "usage: sandfleet-api [options]\n\n"
    "The HTTP door: takes run requests and puts them on Kafka, tells what became of them from\n"
    "PostgreSQL, and streams their events. The contract is GET /openapi.yaml.\n\n";

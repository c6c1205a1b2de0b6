/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/settings.h"

#include <stddef.h>

#include "common/log.h"

#include "common/banned.h"

#define AT(field) offsetof(struct settings, field)

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
    {.name = "batch-rows", .type = OPT_INT, .at = AT(batch_rows), .def = "5000", .min = 1, .max = 100000,
     .arg = "<n>", .help = "Records that one transaction takes at most."},
    {.name = "batch-bytes", .type = OPT_BYTES, .at = AT(batch_bytes), .def = "8MiB", .min = 1024, .max = INT64_C(1) << 30,
     .arg = "<size>", .help = "Bytes of records that one transaction takes at most; two batches are in memory."},
    {.name = "batch-age", .type = OPT_MS, .at = AT(batch_age_ms), .def = "1ms", .min = 0, .max = 10000,
     .arg = "<duration>", .help = "Longest that a record waits for others while the database is idle."},
    {.name = "prefetch-bytes", .type = OPT_BYTES, .at = AT(prefetch_bytes), .def = "16MiB", .min = 1 << 20, .max = INT64_C(1) << 30,
     .arg = "<size>", .help = "Records kept at hand while the database is the slower side."},
    {.name = "offsets-check", .type = OPT_MS, .at = AT(offsets_check_ms), .def = "500ms", .min = 10, .max = 600000,
     .arg = "<duration>", .help = "How often an idle sink asks whether the database still has its last commit."},
    {.name = "accept-loss", .type = OPT_BOOL, .at = AT(accept_loss), .flags = OPT_NO_ENV,
     .help = "Goes on where a topic begins although records before that were never read; they are told in fleet.losses."},
    {.name = "log-user-data", .type = OPT_BOOL, .at = AT(log_user_data),
     .help = "Shows user data in the log; without it, only its length and hash."},
    PROGRAM_ROWS(AT(common)),
};
// clang-format on
const size_t settings_n = COUNTOF(settings_rows);

enum err_code settings_check(void *settings, const char *word, struct err *err)
{
    struct settings *s = settings;

    s->rebuild = word != NULL;
    if (word && !str_is(str_of(word), "rebuild"))
        return err_set(err, ERR_USAGE, "'%.40s' is no option; the only word is rebuild", word);
    if (s->rebuild && s->accept_loss)
        return err_set(err, ERR_USAGE,
                       "--accept-loss is the running sink's: rebuild loses nothing");
    if (!s->database && !program_asked(&s->common))
        return err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    log_user_data(s->log_user_data);
    return ERR_OK;
}

const char settings_usage[] =
    "usage: sandfleet-sink [options]\n"
    "       sandfleet-sink rebuild [options]\n\n"
    "Projects run requests and events from Kafka into PostgreSQL. rebuild makes the read "
    "model\n"
    "anew from the topics, beside the one that is read, puts it in its place in one "
    "transaction,\n"
    "and ends; a running sink goes on meanwhile. Interrupted, it goes on where it was.\n\n";

/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's settings: ours, then the caller's. */
#include "common/kafka/kafka_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "common/nearest.h"
#include "common/secret/secret.h"

#include "common/banned.h"

enum { KAFKA_FILE_MAX = 64 << 10, KAFKA_VALUE_MAX = 16 << 10 };

static const struct kafka_prop common_props[] = {
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "1000"}, /* default 10 s: recovery would lag the broker by it */
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"topic.metadata.propagation.max.ms", "8000"},
    {"log.queue", "true"}, /* log lines come in the loop's thread */
    {"log.connection.close", "false"},
};

/* Each of these keeps a promise (aliases included). */
static const char *const ours_alone[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "partitioner",
    "message.send.max.retries",
    "retries",
    "transactional.id",
    "group.id",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "partition.assignment.strategy",
    "enable.partition.eof",
    "allow.auto.create.topics",
    "log.queue",
};

/* Every user of the machine reads a command line. */
static const char *const secrets[] = {
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
};

static bool is_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

/* Only the table that librdkafka prints for people has all of its settings, aliases too: a line
 * each, first the name. */
static void nearest_setting(struct nearest *near)
{
    char *text = NULL;
    size_t n = 0;
    FILE *table = open_memstream(&text, &n);

    if (!table)
        return;
    rd_kafka_conf_properties_show(table);
    (void)fclose(table);
    for (char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char name[NEAREST_MAX_BYTES];

        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " \n"), line);
        if (name[0])
            nearest_try(near, name);
    }
    free(text);
}

static enum err_code no_such(const char *name, struct err *err)
{
    struct nearest near = nearest_of(str_of(name));

    nearest_setting(&near);
    if (near.name[0])
        return err_set(err, ERR_CONFIG, "librdkafka has no setting '%.60s': did you mean '%s'?",
                       name, near.name);
    return err_set(err, ERR_CONFIG,
                   "librdkafka has no setting '%.60s': its CONFIGURATION.md lists them", name);
}

static enum err_code set(rd_kafka_conf_t *conf, const char *name, const char *value,
                         struct err *err)
{
    char text[160];
    rd_kafka_conf_res_t res = rd_kafka_conf_set(conf, name, value, text, sizeof text);

    if (res == RD_KAFKA_CONF_UNKNOWN)
        return no_such(name, err);
    return res == RD_KAFKA_CONF_OK ? ERR_OK : err_set(err, ERR_CONFIG, "kafka setting: %s", text);
}

/* One "name=value" of the caller; from: "-X", or the file and its line. */
static enum err_code set_custom(rd_kafka_conf_t *conf, const char *from, struct str item,
                                struct err *err)
{
    char name[128], value[KAFKA_VALUE_MAX];
    const char *eq = item.n ? memchr(item.p, '=', item.n) : NULL;
    size_t n = eq ? (size_t)(eq - item.p) : 0, left = eq ? item.n - n - 1 : 0;

    if (n == 0 || n >= sizeof name || left >= sizeof value)
        return err_set(err, ERR_CONFIG, "%s wants name=value, as in security.protocol=SASL_SSL",
                       from);
    memcpy(name, item.p, n);
    name[n] = '\0';
    if (is_of(name, ours_alone, COUNTOF(ours_alone)))
        return err_set(err, ERR_CONFIG, "%s %s: it keeps a promise of ours, it cannot be set", from,
                       name);
    memcpy(value, eq + 1, left);
    value[left] = '\0';
    enum err_code rc = set(conf, name, value, err);
    sodium_memzero(value, sizeof value);
    return rc;
}

bool kafka_setting_is_secret(struct str name)
{
    for (size_t i = 0; i < COUNTOF(secrets); i++)
        if (str_is(name, secrets[i]))
            return true;
    return false;
}

/* Of the command line: what is wrong with it is wrong there. */
static enum err_code set_option(rd_kafka_conf_t *conf, const char *item, struct err *err)
{
    size_t n = strcspn(item, "=");

    if (item[n] && kafka_setting_is_secret((struct str){item, n}))
        return err_set(err, ERR_USAGE,
                       "-X %.*s: a secret, and all can read a command line: write it to a file "
                       "for --kafka-config",
                       (int)n, item);
    if (set_custom(conf, "-X", str_of(item), err) == ERR_OK)
        return ERR_OK;
    if (err)
        err->code = ERR_USAGE;
    return ERR_USAGE;
}

static enum err_code set_lines(rd_kafka_conf_t *conf, const char *path, struct str text,
                               struct err *err)
{
    struct str line;
    enum err_code rc = ERR_OK;

    for (int n = 1; rc == ERR_OK && str_next(&text, '\n', &line); n++) {
        line = str_trim(line);
        if (line.n && line.p[0] != '#')
            rc = set_custom(conf, "the line", line, err);
        if (rc != ERR_OK)
            rc = err_wrap(err, "kafka settings '%s' line %d", path, n);
    }
    return rc;
}

static enum err_code set_file(rd_kafka_conf_t *conf, const char *path, struct err *err)
{
    char *text = malloc(KAFKA_FILE_MAX);
    size_t n = 0;

    if (!text)
        return err_set(err, ERR_NOMEM, "kafka settings '%s'", path);
    enum err_code rc = secret_read_file(path, text, KAFKA_FILE_MAX, &n, err);
    if (rc == ERR_OK)
        rc = set_lines(conf, path, (struct str){text, n}, err);
    sodium_memzero(text, KAFKA_FILE_MAX);
    free(text);
    return rc;
}

static int64_t number_of(const rd_kafka_conf_t *c, const char *name)
{
    char text[24] = "";
    size_t room = sizeof text;
    int64_t n = 0;

    if (rd_kafka_conf_get(c, name, text, &room) == RD_KAFKA_CONF_OK)
        (void)str_int(str_of(text), INT64_MAX, &n);
    return n;
}

/* One heartbeat that is late, and one that is lost, must not cost the group its member. */
static enum err_code check_heartbeats(const rd_kafka_conf_t *c, struct err *err)
{
    int64_t session = number_of(c, "session.timeout.ms");
    int64_t beat = number_of(c, "heartbeat.interval.ms");

    if (session / 3 >= beat)
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "kafka setting: session.timeout.ms %" PRId64
                   " is less than three times heartbeat.interval.ms %" PRId64,
                   session, beat);
}

static enum err_code fill(rd_kafka_conf_t *c, const struct kafka_conf *conf,
                          const struct kafka_prop *props, size_t n, struct err *err)
{
    enum err_code rc = set(c, "bootstrap.servers", conf->brokers, err);
    if (rc == ERR_OK && conf->client_id)
        rc = set(c, "client.id", conf->client_id, err);
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(common_props); i++)
        rc = set(c, common_props[i].name, common_props[i].value, err);
    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = set(c, props[i].name, props[i].value, err);
    if (rc == ERR_OK && conf->file)
        rc = set_file(c, conf->file, err);
    for (size_t i = 0; rc == ERR_OK && conf->props && i < conf->props->n; i++)
        rc = i < conf->n_closed
                 ? set_custom(c, "the configuration", str_of(conf->props->items[i]), err)
                 : set_option(c, conf->props->items[i], err);
    return rc == ERR_OK ? check_heartbeats(c, err) : rc;
}

enum err_code kafka_conf_new(const struct kafka_conf *conf, const struct kafka_prop *props,
                             size_t n, rd_kafka_conf_t **out, struct err *err)
{
    if (!conf->brokers || !*conf->brokers)
        return err_set(err, ERR_CONFIG, "no Kafka brokers are given: --brokers host:port");
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    enum err_code rc = fill(c, conf, props, n, err);
    rd_kafka_conf_enable_sasl_queue(c, 1); /* for kafka_tokens_in_background() */
    if (rc == ERR_OK)
        *out = c;
    else
        rd_kafka_conf_destroy(c);
    return rc;
}

void kafka_tokens_in_background(rd_kafka_t *rk)
{
    rd_kafka_error_t *e = rd_kafka_sasl_background_callbacks_enable(rk);

    if (e) /* there is no such mechanism: nothing to be fetched */
        rd_kafka_error_destroy(e);
}

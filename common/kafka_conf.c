/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's settings: ours, then the caller's. */
#include "common/kafka_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

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

static enum err_code set(rd_kafka_conf_t *conf, const char *name, const char *value,
                         struct err *err)
{
    char text[160];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return err_set(err, ERR_CONFIG, "kafka setting: %s", text);
    return ERR_OK;
}

/* One "name=value" of the caller. */
static enum err_code set_custom(rd_kafka_conf_t *conf, const char *item, struct err *err)
{
    char name[128];
    const char *eq = strchr(item, '=');
    size_t n = eq ? (size_t)(eq - item) : 0;
    if (n == 0 || n >= sizeof name)
        return err_set(err, ERR_CONFIG, "-X wants name=value");
    memcpy(name, item, n);
    name[n] = '\0';
    for (size_t i = 0; i < COUNTOF(ours_alone); i++) {
        if (strcmp(name, ours_alone[i]) == 0)
            return err_set(err, ERR_CONFIG, "-X %s: it keeps a promise of ours, it cannot be set",
                           name);
    }
    return set(conf, name, eq + 1, err);
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
    for (size_t i = 0; rc == ERR_OK && conf->props && i < conf->props->n; i++)
        rc = set_custom(c, conf->props->items[i], err);
    return rc;
}

enum err_code kafka_conf_new(const struct kafka_conf *conf, const struct kafka_prop *props,
                             size_t n, rd_kafka_conf_t **out, struct err *err)
{
    if (!conf->brokers || !*conf->brokers)
        return err_set(err, ERR_CONFIG, "no Kafka brokers are given: --brokers host:port");
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    enum err_code rc = fill(c, conf, props, n, err);
    if (rc == ERR_OK)
        *out = c;
    else
        rd_kafka_conf_destroy(c);
    return rc;
}

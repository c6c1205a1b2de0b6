/* SPDX-License-Identifier: Apache-2.0 */
/* Administration, one blocking call at a time. The handle is a consumer's: the
 * only kind whose look-ups never create a topic. */
#include "common/kafka/kafka_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/banned.h"

enum { SLICE_MS = 500 };

struct kafka_admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char *brokers;
    struct err refused; /* why no broker lets us in; ERR_OK: it may only be away */
    char away[128];     /* what librdkafka said of the last connection that failed; "": nothing */
};

static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text; /* what matters comes back as the call's error */
}

/* Only so does librdkafka tell why it cannot connect: its calls just time out. Called by
 * rd_kafka_poll(). */
static void on_error(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
    struct kafka_admin *a = opaque;

    (void)rk;
    if (e == RD_KAFKA_RESP_ERR__SSL || e == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        (void)kafka_refused(&a->refused, (rd_kafka_resp_err_t)e, a->brokers, reason);
    if (e == RD_KAFKA_RESP_ERR__RESOLVE || e == RD_KAFKA_RESP_ERR__TRANSPORT) {
        struct str said = str_trim((struct str){reason, strcspn(reason, "(")});

        (void)snprintf(a->away, sizeof a->away, " (%.*s)", (int)said.n, said.p);
    }
}

static bool is_refused(struct kafka_admin *a)
{
    while (rd_kafka_poll(a->rk, 0) > 0)
        ;
    return a->refused.code != ERR_OK;
}

/* Whoever is not let in need not wait for the time-out: calls are made in slices. */
static bool goes_on(struct kafka_admin *a, int64_t until_ms, int *slice_ms)
{
    int64_t left = until_ms - clock_boot_ms();

    *slice_ms = left < SLICE_MS ? (int)left : SLICE_MS;
    return left > 0 && !is_refused(a);
}

static enum err_code unreachable(struct kafka_admin *a, struct err *err)
{
    if (is_refused(a)) {
        *err = a->refused;
        return err->code;
    }
    return err_set(
        err, ERR_UNAVAILABLE,
        "kafka at %.60s does not answer%s; is it up, and --brokers (SANDFLEET_BROKERS) right?",
        a->brokers, a->away);
}

static enum err_code admin_error(struct kafka_admin *a, rd_kafka_resp_err_t e, const char *text,
                                 const char *topic, struct err *err)
{
    if (e == RD_KAFKA_RESP_ERR__TIMED_OUT || e == RD_KAFKA_RESP_ERR__TRANSPORT ||
        e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || e == RD_KAFKA_RESP_ERR__RESOLVE)
        return unreachable(a, err);
    return kafka_error(err, e, "topic '%s'%s%s", topic, text ? ": " : "", text ? text : "");
}

enum err_code kafka_admin_new(const struct kafka_conf *conf, struct kafka_admin **out,
                              struct err *err)
{
    static const struct kafka_prop props[] = {
        {"log.queue", "false"},
        {"allow.auto.create.topics", "false"},
    };
    char text[160];
    rd_kafka_conf_t *c;
    enum err_code rc = kafka_conf_new(conf, props, COUNTOF(props), &c, err);
    if (rc != ERR_OK)
        return rc;
    struct kafka_admin *a = calloc(1, sizeof *a);
    rd_kafka_conf_set_log_cb(c, no_log);
    if (a) {
        a->brokers = strdup(conf->brokers);
        rd_kafka_conf_set_opaque(c, a);
        rd_kafka_conf_set_error_cb(c, on_error);
        a->rk = rd_kafka_new(RD_KAFKA_CONSUMER, c, text, sizeof text);
    }
    if (!a || !a->rk || !a->brokers) {
        if (!a || !a->rk)
            rd_kafka_conf_destroy(c);
        rc = a && !a->rk ? err_set(err, ERR_CONFIG, "start kafka: %s", text)
                         : err_set(err, ERR_NOMEM, "start kafka");
        kafka_admin_free(a);
        return rc;
    }
    kafka_tokens_in_background(a->rk);
    a->queue = rd_kafka_queue_new(a->rk);
    *out = a;
    return ERR_OK;
}

void kafka_admin_free(struct kafka_admin *a)
{
    if (!a)
        return;
    if (a->queue)
        rd_kafka_queue_destroy(a->queue);
    if (a->rk)
        rd_kafka_destroy_flags(a->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(a->brokers);
    free(a);
}

/* --- calls that answer by an event --- */

static void options_done(rd_kafka_AdminOptions_t **o)
{
    if (*o)
        rd_kafka_AdminOptions_destroy(*o);
}

static void event_done(rd_kafka_event_t **e)
{
    if (*e)
        rd_kafka_event_destroy(*e);
}
#define AUTO_OPTIONS AUTO(options_done) rd_kafka_AdminOptions_t
#define AUTO_EVENT   AUTO(event_done) rd_kafka_event_t

static rd_kafka_AdminOptions_t *options(struct kafka_admin *a, int64_t timeout_ms)
{
    char text[16];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(a->rk, RD_KAFKA_ADMIN_OP_ANY);
    rd_kafka_AdminOptions_set_request_timeout(o, (int)timeout_ms, text, sizeof text);
    return o;
}

static enum err_code wait_for(struct kafka_admin *a, const char *topic, int64_t timeout_ms,
                              rd_kafka_event_t **out, struct err *err)
{
    enum { GRACE_MS = 500 }; /* librdkafka's own time-out says more */
    int64_t until_ms = clock_boot_ms() + timeout_ms + GRACE_MS;
    int ms;

    *out = NULL;
    while (!*out && goes_on(a, until_ms, &ms))
        *out = rd_kafka_queue_poll(a->queue, ms);
    if (!*out)
        return unreachable(a, err);
    rd_kafka_resp_err_t e = rd_kafka_event_error(*out);
    return e ? admin_error(a, e, NULL, topic, err) : ERR_OK;
}

static enum err_code topic_result(struct kafka_admin *a, const rd_kafka_topic_result_t **rs,
                                  size_t n, struct err *err)
{
    rd_kafka_resp_err_t e = n == 1 ? rd_kafka_topic_result_error(rs[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ERR_OK;
    return admin_error(a, e, n == 1 ? rd_kafka_topic_result_error_string(rs[0]) : NULL,
                       n == 1 ? rd_kafka_topic_result_name(rs[0]) : "", err);
}

static enum err_code set_config(rd_kafka_NewTopic_t *t, const struct kafka_topic *want,
                                struct err *err)
{
    char name[128];
    for (size_t i = 0; i < want->n_config; i++) {
        const char *eq = strchr(want->config[i], '=');
        size_t n = eq ? (size_t)(eq - want->config[i]) : 0;
        if (n == 0 || n >= sizeof name)
            return err_set(err, ERR_CONFIG, "topic '%s': setting %zu is not name=value", want->name,
                           i + 1);
        memcpy(name, want->config[i], n);
        name[n] = '\0';
        rd_kafka_NewTopic_set_config(t, name, eq + 1);
    }
    return ERR_OK;
}

static void new_topic_done(rd_kafka_NewTopic_t **t)
{
    if (*t)
        rd_kafka_NewTopic_destroy(*t);
}

enum err_code kafka_admin_create(struct kafka_admin *a, const struct kafka_topic *t,
                                 int64_t timeout_ms, struct err *err)
{
    char text[160];
    AUTO_OPTIONS *o = options(a, timeout_ms);
    AUTO(new_topic_done)
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(t->name, t->partitions, t->replication, text, sizeof text);
    if (!topic)
        return err_set(err, ERR_CONFIG, "topic '%s': %s", t->name, text);
    enum err_code rc = set_config(topic, t, err);
    if (rc != ERR_OK)
        return rc;
    rd_kafka_CreateTopics(a->rk, &topic, 1, o, a->queue);
    AUTO_EVENT *e = NULL;
    rc = wait_for(a, t->name, timeout_ms, &e, err);
    if (rc != ERR_OK)
        return rc;
    size_t n;
    const rd_kafka_topic_result_t **rs =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &n);
    return topic_result(a, rs, n, err);
}

static void new_partitions_done(rd_kafka_NewPartitions_t **p)
{
    if (*p)
        rd_kafka_NewPartitions_destroy(*p);
}

enum err_code kafka_admin_add_partitions(struct kafka_admin *a, const char *topic, int32_t total,
                                         int64_t timeout_ms, struct err *err)
{
    char text[160];
    AUTO_OPTIONS *o = options(a, timeout_ms);
    AUTO(new_partitions_done)
    rd_kafka_NewPartitions_t *p =
        rd_kafka_NewPartitions_new(topic, (size_t)total, text, sizeof text);
    if (!p)
        return err_set(err, ERR_CONFIG, "topic '%s': %s", topic, text);
    rd_kafka_CreatePartitions(a->rk, &p, 1, o, a->queue);
    AUTO_EVENT *e = NULL;
    enum err_code rc = wait_for(a, topic, timeout_ms, &e, err);
    if (rc != ERR_OK)
        return rc;
    size_t n;
    const rd_kafka_topic_result_t **rs =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(e), &n);
    return topic_result(a, rs, n, err);
}

static void resource_done(rd_kafka_ConfigResource_t **r)
{
    if (*r)
        rd_kafka_ConfigResource_destroy(*r);
}

static enum err_code find_value(const rd_kafka_ConfigResource_t *r, const char *topic,
                                const char *name, struct buf *out, struct err *err)
{
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(r, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) != 0)
            continue;
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        buf_adds(out, value ? value : "");
        return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "setting '%s'", name);
    }
    return err_set(err, ERR_NOT_FOUND, "topic '%s' has no setting '%s'", topic, name);
}

enum err_code kafka_admin_config(struct kafka_admin *a, const char *topic, const char *name,
                                 int64_t timeout_ms, struct buf *out, struct err *err)
{
    AUTO_OPTIONS *o = options(a, timeout_ms);
    AUTO(resource_done)
    rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    if (!r)
        return err_set(err, ERR_CONFIG, "'%s' is no topic name", topic);
    rd_kafka_DescribeConfigs(a->rk, &r, 1, o, a->queue);
    AUTO_EVENT *e = NULL;
    enum err_code rc = wait_for(a, topic, timeout_ms, &e, err);
    if (rc != ERR_OK)
        return rc;
    size_t n;
    const rd_kafka_ConfigResource_t **rs =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(e), &n);
    rd_kafka_resp_err_t bad =
        n == 1 ? rd_kafka_ConfigResource_error(rs[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (bad != RD_KAFKA_RESP_ERR_NO_ERROR)
        return admin_error(a, bad, NULL, topic, err);
    return find_value(rs[0], topic, name, out, err);
}

/* --- look-ups --- */

enum err_code kafka_admin_partitions(struct kafka_admin *a, const char *topic, int64_t timeout_ms,
                                     int32_t *out, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *t = rd_kafka_topic_new(a->rk, topic, NULL);
    if (!t)
        return err_set(err, ERR_CONFIG, "'%s' is no topic name", topic);
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t until_ms = clock_boot_ms() + timeout_ms;
    int ms;
    while ((e == RD_KAFKA_RESP_ERR__TIMED_OUT || e == RD_KAFKA_RESP_ERR__TRANSPORT) &&
           goes_on(a, until_ms, &ms))
        e = rd_kafka_metadata(a->rk, 0, t, &md, ms);
    rd_kafka_topic_destroy(t);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return admin_error(a, e, NULL, topic, err);
    e = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *out = e == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(md);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR || e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return ERR_OK;
    return admin_error(a, e, NULL, topic, err);
}

enum err_code kafka_admin_offsets(struct kafka_admin *a, const char *topic, int32_t partition,
                                  int64_t timeout_ms, int64_t *low, int64_t *high, struct err *err)
{
    rd_kafka_resp_err_t e =
        rd_kafka_query_watermark_offsets(a->rk, topic, partition, low, high, (int)timeout_ms);
    return e ? admin_error(a, e, NULL, topic, err) : ERR_OK;
}

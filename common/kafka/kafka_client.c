/* SPDX-License-Identifier: Apache-2.0 */
/* One librdkafka handle in the loop. Its threads write to an eventfd when the
 * queue fills; every callback of librdkafka then runs here, inside the turn. */
#include "common/kafka/kafka_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/log.h"

#include "common/banned.h"

/* --- what librdkafka says --- */

/* Broker connections fail, and are told, several times a second in an outage:
 * kafka.down and kafka.up say it once. The rest is for whoever debugs. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    enum { SYSLOG_CRITICAL = 2 };
    (void)rk;
    log_event(level <= SYSLOG_CRITICAL ? LOG_ERROR : LOG_DEBUG, "kafka.log", LF("about", facility),
              LF("text", text));
}

static void tell_down(struct kafka_client *k)
{
    if (k->down)
        return;
    k->down = true;
    log_event(
        LOG_WARN, "kafka.down", LF("brokers", k->brokers), LF("client", rd_kafka_name(k->rk)),
        LF("next", "is it running? ops/dev status; this process waits and goes on by itself"));
}

/* A certificate may be renewed on either side, so it goes on trying; but it does not pass by
 * itself as an outage does. */
static void tell_distrust(struct kafka_client *k, const char *reason)
{
    struct err e = ERR_INIT;

    (void)kafka_refused(&e, RD_KAFKA_RESP_ERR__SSL, k->brokers, reason);
    if (!k->distrusts)
        log_event(LOG_ERROR, "kafka.tls_failed", LF_ERR(&e));
    k->distrusts = true;
}

void kafka_client_alive(struct kafka_client *k)
{
    k->distrusts = false;
    if (!k->down)
        return;
    k->down = false;
    log_event(LOG_INFO, "kafka.up", LF("brokers", k->brokers), LF("client", rd_kafka_name(k->rk)));
}

static void tell_dead(struct kafka_client *k, const struct err *e)
{
    if (k->dead && !k->freed)
        k->dead(k->ctx, e);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_client *k = opaque;
    struct err e = ERR_INIT;
    char text[160];
    switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        tell_down(k);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        kafka_error(&e, rd_kafka_fatal_error(rk, text, sizeof text), "kafka: %s", text);
        e.code = ERR_INTERNAL;
        tell_dead(k, &e);
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        tell_distrust(k, reason);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        kafka_refused(&e, code, k->brokers, reason);
        tell_dead(k, &e);
        break;
    default: /* librdkafka's enum: the rest passes by itself */
        log_event(LOG_DEBUG, "kafka.error", LF("text", reason));
    }
}

/* Only the statistics tell that an idle client has a broker again. */
static int on_stats(rd_kafka_t *rk, char *json, size_t n, void *opaque)
{
    struct kafka_client *k = opaque;
    (void)rk;
    (void)n;
    if (k->down && strstr(json, "\"state\":\"UP\""))
        kafka_client_alive(k);
    return 0; /* librdkafka frees json */
}

/* --- the loop --- */

static void take_turn(struct kafka_client *k)
{
    k->busy++;
    bool more = k->turn(k->ctx);
    if (!k->freed)
        timer_start(k->tick, more ? 0 : KAFKA_TICK_MS);
    if (--k->busy == 0 && k->freed)
        k->release(k->ctx);
}

static void on_filled(void *ctx, int events)
{
    struct kafka_client *k = ctx;
    uint64_t times;
    (void)events;
    if (read(k->fd, &times, sizeof times) > 0)
        take_turn(k);
}

static void on_tick(void *ctx)
{
    take_turn(ctx);
}

void kafka_client_soon(struct kafka_client *k)
{
    if (!k->freed)
        timer_start(k->tick, 0);
}

static enum err_code in_the_loop(struct kafka_client *k, rd_kafka_type_t type, struct err *err)
{
    static const uint64_t one = 1;
    k->queue = type == RD_KAFKA_CONSUMER ? rd_kafka_queue_get_consumer(k->rk)
                                         : rd_kafka_queue_get_main(k->rk);
    k->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (k->fd < 0)
        return err_errno(err, errno, "make an eventfd for kafka");
    k->watch = watch_new(k->loop, k->fd, on_filled, k);
    k->tick = timer_new(k->loop, on_tick, k);
    if (!k->queue || !k->watch || !k->tick)
        return err_set(err, ERR_NOMEM, "watch kafka's queue");
    rd_kafka_queue_io_event_enable(k->queue, k->fd, &one, sizeof one);
    watch_set(k->watch, WATCH_READ);
    timer_start(k->tick, 0);
    return ERR_OK;
}

enum err_code kafka_client_open(struct kafka_client *k, struct loop *l, rd_kafka_type_t type,
                                rd_kafka_conf_t *conf, const char *brokers, struct err *err)
{
    char text[160];
    k->loop = l;
    k->fd = -1;
    k->brokers = strdup(brokers);
    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_stats);
    k->rk = k->brokers ? rd_kafka_new(type, conf, text, sizeof text) : NULL;
    if (!k->rk) {
        rd_kafka_conf_destroy(conf);
        if (!k->brokers)
            return err_set(err, ERR_NOMEM, "start kafka");
        return err_set(err, ERR_CONFIG, "start kafka: %s", text);
    }
    kafka_tokens_in_background(k->rk);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(k->rk);
    rd_kafka_set_log_queue(k->rk, NULL);
    return in_the_loop(k, type, err);
}

void kafka_client_close(struct kafka_client *k)
{
    timer_free(k->tick);
    watch_free(k->watch);
    if (k->queue) {
        rd_kafka_queue_io_event_enable(k->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(k->queue);
    }
    if (k->fd >= 0)
        close(k->fd);
}

void kafka_client_release(struct kafka_client *k)
{
    free(k->brokers);
}

void kafka_client_free(struct kafka_client *k)
{
    k->freed = true;
    if (k->busy == 0)
        k->release(k->ctx);
}

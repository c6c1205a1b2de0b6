/* SPDX-License-Identifier: Apache-2.0 */
/* What producer, consumer and administration share: settings, the queue in the
 * loop, the log, the meaning of errors. */
#ifndef SANDFLEET_COMMON_KAFKA_KAFKA_INTERNAL_H
#define SANDFLEET_COMMON_KAFKA_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "common/kafka/kafka.h"

enum { KAFKA_TICK_MS = 1000 }; /* a turn at least so often: max.poll.interval.ms is always fed */

/* --- settings (kafka_conf.c) --- */

struct kafka_prop {
    const char *name, *value;
};

/* Common settings, then `props`, then the caller's -X ones. Those that keep a
 * promise cannot be overridden: ERR_CONFIG. */
enum err_code kafka_conf_new(const struct kafka_conf *conf, const struct kafka_prop *props,
                             size_t n, rd_kafka_conf_t **out, struct err *err) MUST_USE;

/* OAUTHBEARER's tokens are fetched and renewed on a thread of librdkafka's, whoever polls what. */
void kafka_tokens_in_background(rd_kafka_t *rk);

/* --- a librdkafka handle in the loop (kafka_client.c) --- */

struct kafka_client {
    struct loop *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char *brokers; /* for messages */
    int fd;        /* eventfd: the queue is no longer empty */
    struct watch *watch;
    struct timer *tick;
    bool (*turn)(void *ctx); /* serves the queue; true: there is more */
    /* Fatal, or not let in. Called while the queue is served. */
    void (*dead)(void *ctx, const struct err *e);
    void *ctx;
    bool down;      /* told by kafka.down */
    bool distrusts; /* told by kafka.tls_failed */
    int busy;       /* calls of ours on the stack that go on using the owner */
    bool freed;     /* to be freed by the last of them */
    loop_fn release;
};

/* Takes conf. Fills k, whose turn, dead, release and ctx are set. */
enum err_code kafka_client_open(struct kafka_client *k, struct loop *l, rd_kafka_type_t type,
                                rd_kafka_conf_t *conf, const char *brokers,
                                struct err *err) MUST_USE;
/* First what belongs to the loop; then its owner destroys rk; then the rest. */
void kafka_client_close(struct kafka_client *k);
void kafka_client_release(struct kafka_client *k);
void kafka_client_soon(struct kafka_client *k); /* a turn at the end of this one */
void kafka_client_free(struct kafka_client *k); /* calls release now, or when nobody uses it */
/* The broker answered: ends an outage. */
void kafka_client_alive(struct kafka_client *k);

/* --- errors (kafka_error.c) --- */

/* No broker lets us in, by librdkafka's reason: ERR_UNAUTHORIZED, or ERR_CONFIG where one of the
 * certificates is not trusted. */
enum err_code kafka_refused(struct err *err, rd_kafka_resp_err_t e, const char *brokers,
                            const char *reason);

/* Fills err: code by the table, "<what>: <librdkafka's text>" and a next step. */
enum err_code kafka_error(struct err *err, rd_kafka_resp_err_t e, const char *fmt, ...)
    PRINTF(3, 4);

#endif

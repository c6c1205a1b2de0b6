/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka: an idempotent producer and a consumer, librdkafka (>= 2.0.2) in the
 * loop. Settings that keep promises: acks=all, no message time-out unless it is
 * asked for, murmur2_random partitioner, range assignor, explicit offsets.
 * Single-threaded; nothing here blocks but where said. */
#ifndef SANDFLEET_COMMON_KAFKA_KAFKA_H
#define SANDFLEET_COMMON_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/option/option.h"

struct kafka_conf {      /* borrowed until the _new call returns */
    const char *brokers; /* "host:port,host:port" */
    const char *client_id;
    const char *file; /* of settings for librdkafka, "name=value" a line, lines that begin with #
                       * left out, closed to others: where passwords are; NULL: none */
    const struct opt_list *props; /* "-X name=value", behind the file's; NULL: none */
    size_t n_closed; /* of props, the first ones: from a file that is closed to others, so that
                      * they may be passwords */
};

/* A setting of librdkafka's whose value is a secret. */
bool kafka_setting_is_secret(struct str name);

struct kafka_header {
    const char *name;
    struct str value;
};

struct kafka_message; /* opaque: what a consumed record's views point into */

struct kafka_record { /* borrowed */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct str key, value;              /* value.p NULL: a tombstone */
    const struct kafka_header *headers; /* of a consumed one: kafka_headers_read() */
    size_t n_headers;
    struct kafka_message *message; /* NULL: not consumed, or kept */
};

enum { KAFKA_HEADERS_MAX = 80 }; /* of a record; more are not handed out */

/* The headers of a consumed record, which are decoded when somebody asks: it costs more than
 * the rest of the record. Views into *m. Returns how many. */
size_t kafka_headers_read(const struct kafka_message *m,
                          struct kafka_header out[KAFKA_HEADERS_MAX]);
/* The named header's value, or an empty view. */
struct str kafka_header(const struct kafka_record *r, const char *name);
/* The caller's from here on: key and value stay where they are until it is freed, which must
 * be before consumer_free(). NULL: there was none. */
struct kafka_message *kafka_message_take(struct kafka_record *r) MUST_USE;
void kafka_message_free(struct kafka_message *m); /* NULL is fine */

/* --- producer --- */
struct producer;

/* Called once per accepted record, from the loop or producer_flush(): e->code ERR_OK
 * when the broker acknowledged it. ERR_TOO_BIG: the topic refuses its size. ERR_CONFIG:
 * no such topic. Nothing is dropped because time passed, unless producer_opts.timeout_ms
 * says so: ERR_TIMEOUT then, a second late at most. ERR_IO, whatever the failure was: the
 * record may be in the topic all the same. After any other failure it is not, and will not be. */
typedef void (*produced_fn)(void *ctx, const struct err *e, int32_t partition, int64_t offset);

struct producer_opts {
    int64_t linger_ms;       /* 0..1000 */
    int64_t batch_bytes;     /* a request goes out at the latest with so many; 0: 1 MB */
    const char *compression; /* "none", "zstd", …; NULL: lz4 */
    int64_t timeout_ms;      /* a record that is not acknowledged by then is given up; 0: none is */
    int64_t max_queued_bytes; /* back-pressure above; 0: 64 MiB */
    void (*room)(void *ctx);  /* there is room again after ERR_THROTTLED; may be NULL */
    void (*fatal)(void *ctx, const struct err *e); /* the producer is dead; may be NULL */
    void *ctx;
};

enum err_code producer_new(struct loop *l, const struct kafka_conf *conf,
                           const struct producer_opts *opts, struct producer **out,
                           struct err *err) MUST_USE;
/* Copies key, value and headers; the key decides the partition. fn may be NULL.
 * ERR_THROTTLED: the queue is full; wait for room(). ERR_TOO_BIG. */
enum err_code producer_send(struct producer *p, const char *topic, struct str key, struct str value,
                            const struct kafka_header *headers, size_t n_headers, produced_fn fn,
                            void *ctx, struct err *err) MUST_USE;
/* Learns now where the topic's partitions are, so that the first record need not wait for it. */
void producer_know(struct producer *p, const char *topic);
struct producer_record { /* one of many */
    struct str key, value;
    produced_fn fn; /* not NULL */
    void *ctx;
    enum err_code rc; /* as producer_send would have it: OK, THROTTLED, TOO_BIG, … */
};
enum { PRODUCER_MANY = 32 };
/* Sends at most PRODUCER_MANY records at a fraction of the cost of each alone: a value is not
 * copied, and must stay where it is until fn is called. Each has its own rc; the first one that
 * is not OK is answered, and err tells of it. Records without headers. */
enum err_code producer_send_many(struct producer *p, const char *topic,
                                 struct producer_record *records, size_t n,
                                 struct err *err) MUST_USE;
size_t producer_in_flight(const struct producer *p);     /* accepted, not yet reported */
int64_t producer_queued_bytes(const struct producer *p); /* of those */
bool producer_is_up(const struct producer *p);           /* false: no broker can be reached */
/* Serves what was reported so far, without the loop: for who sends much in one go. */
void producer_poll(struct producer *p);
/* Blocks until nothing is in flight (true) or timeout_ms passed. For programs that end. */
bool producer_flush(struct producer *p, int64_t timeout_ms);
void producer_free(struct producer *p); /* what is in flight is lost; flush first */

/* --- consumer --- */
struct consumer;

struct partition {
    const char *topic; /* borrowed */
    int32_t id;
    int64_t offset; /* to start at; KAFKA_EARLIEST; KAFKA_COMMITTED */
};

enum { KAFKA_EARLIEST = -2, KAFKA_LATEST = -1, KAFKA_COMMITTED = -1000 };

struct consumer_events { /* called from the loop */
    void (*record)(void *ctx, struct kafka_record *r);
    /* A group assignment arrived: answer, now or later, with consumer_assign().
     * NULL: assigned at the committed offsets at once; a partition without one starts
     * at the earliest record. With a callback (or without a group) nothing is
     * guessed: a committed offset that is missing, as one out of range, is `failed`. */
    void (*assigned)(void *ctx, const struct partition *ps, size_t n);
    void (*revoked)(void *ctx, const struct partition *ps, size_t n); /* may be NULL */
    /* action RETRY: librdkafka goes on by itself; STOP: the consumer is dead
     * (unknown topic, offset out of range, authentication). */
    void (*failed)(void *ctx, const struct err *e);
};

struct consumer_opts {
    const char *group;         /* NULL: no group; then consumer_assign() directly */
    const char *const *topics; /* to subscribe to */
    size_t n_topics;
    bool headers;       /* records come with their headers */
    int64_t session_ms; /* 0: 10 s */
    int64_t prefetch;   /* records of a paused topic kept at hand; 0: 1000 */
    /* Fetched ahead, in all; also the most kept of a paused topic; 0: 16 MiB. Who
     * takes more than this a second wants more: librdkafka before 2.2 may idle up
     * to a second each time it is reached. */
    int64_t prefetch_bytes;
};

enum err_code consumer_new(struct loop *l, const struct kafka_conf *conf,
                           const struct consumer_opts *opts, const struct consumer_events *ev,
                           void *ctx, struct consumer **out, struct err *err) MUST_USE;
/* Replaces what is assigned. A number as offset starts within milliseconds, a named
 * one (KAFKA_…) half a second later: librdkafka looks it up first. */
enum err_code consumer_assign(struct consumer *c, const struct partition *ps, size_t n,
                              struct err *err) MUST_USE;
enum err_code consumer_seek(struct consumer *c, const struct partition *to,
                            struct err *err) MUST_USE;
/* No record() is called while paused; heartbeats and rebalances go on. Survives rebalances.
 * Cheap: some records are kept at hand, and nothing is lost or repeated. topic NULL: all. */
void consumer_pause(struct consumer *c, const char *topic, bool paused);
/* Asynchronous; `next` is the offset to go on at (last done + 1). */
enum err_code consumer_commit(struct consumer *c, const char *topic, int32_t partition,
                              int64_t next, struct err *err) MUST_USE;
/* Leaves the group. Blocks: a second at most, three when the broker does not answer. */
void consumer_free(struct consumer *c);

/* --- one-shot administration: blocks up to timeout_ms; for commands and start-up --- */
struct kafka_topic {
    const char *name;
    int32_t partitions; /* 0 in an answer: it does not exist */
    int32_t replication;
    const char *const *config; /* "name=value" */
    size_t n_config;
};

struct kafka_admin;
enum err_code kafka_admin_new(const struct kafka_conf *conf, struct kafka_admin **out,
                              struct err *err) MUST_USE;
/* ERR_UNAVAILABLE names the brokers and says what to check. */
enum err_code kafka_admin_create(struct kafka_admin *a, const struct kafka_topic *t,
                                 int64_t timeout_ms,
                                 struct err *err) MUST_USE; /* existing: ERR_CONFLICT */
enum err_code kafka_admin_partitions(struct kafka_admin *a, const char *topic, int64_t timeout_ms,
                                     int32_t *out, struct err *err) MUST_USE; /* 0: no such topic */
/* The value of one topic setting, appended to out. */
enum err_code kafka_admin_config(struct kafka_admin *a, const char *topic, const char *name,
                                 int64_t timeout_ms, struct buf *out, struct err *err) MUST_USE;
enum err_code kafka_admin_add_partitions(struct kafka_admin *a, const char *topic, int32_t total,
                                         int64_t timeout_ms, struct err *err) MUST_USE;
/* First and next offset of a partition. */
enum err_code kafka_admin_offsets(struct kafka_admin *a, const char *topic, int32_t partition,
                                  int64_t timeout_ms, int64_t *low, int64_t *high,
                                  struct err *err) MUST_USE;
void kafka_admin_free(struct kafka_admin *a);

/* The partition a producer of ours gives this key (Java's default, too). */
int32_t kafka_partition(struct str key, int32_t partitions);

#endif

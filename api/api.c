/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/audit.h"
#include "api/auth/keys.h"
#include "api/intake/note.h"
#include "api/intake/purge.h"
#include "api/live/feed.h"
#include "api/live/streams.h"
#include "api/live/wait.h"
#include "api/seen.h"
#include "common/http/http_tls.h"
#include "common/http/listen.h"
#include "common/log.h"
#include "common/process.h"

#include "common/banned.h"

enum {
    FILES_BESIDE = 256,
    IDLE_MS = 15000, /* a connection without a byte, behind request_ms */
    DRAIN_LOOK_MS = 20,
    LINGER_MS = 1,
    URL_ROOM = LISTEN_URL_ROOM + 1 /* https */
};

struct pg *api_db(const struct api *a)
{
    struct pg *best = NULL;

    for (size_t i = 0; i < a->n_db; i++)
        if (pg_is_up(a->db[i]) && (!best || pg_queued(a->db[i]) < pg_queued(best)))
            best = a->db[i];
    return best;
}

/* --- end ---------------------------------------------------------------------------- */

/* A call outlives its client while Kafka has not told what became of its run: one that was
 * answered 503 must then be revoked. */
static void on_drain(void *ctx)
{
    struct api *a = ctx;

    bool idle = http_server_connections(a->server) == 0 && a->n_calls == 0 &&
                telling_idle(a->notes) && telling_idle(a->audits);

    if (idle || loop_now_ms(a->loop) >= a->stop_by_ms)
        loop_stop(a->loop);
    else
        timer_start(a->drain, DRAIN_LOOK_MS);
}

static void on_stop(void *ctx, int count)
{
    struct api *a = ctx;

    log_event(LOG_INFO, "api.stopping", LF_INT("signals", count),
              LF_INT("connections", http_server_connections(a->server)));
    if (!a->stopping) {
        http_server_quiesce(a->server);
        streams_drain(a->streams);
        waits_drain(a->waits);
    }
    a->stopping = true;
    a->stop_by_ms = loop_now_ms(a->loop) + (count == 1 ? a->set->drain_ms : 0);
    timer_start(a->drain, 0);
}

static void on_producer_dead(void *ctx, const struct err *e)
{
    struct api *a = ctx;

    a->fatal = *e;
    loop_stop(a->loop);
}

/* --- start ---------------------------------------------------------------------------- */

static void on_down(void *ctx, const struct err *e)
{
    (void)ctx;
    log_event(LOG_WARN, "api.database_down", LF_ERR(e));
}

static enum err_code open_database(struct api *a, struct err *err)
{
    static const struct pg_events events = {.down = on_down};
    const struct pg_opts opts = {.conninfo = a->set->database,
                                 .name = "sandfleet-api",
                                 .pipeline = true,
                                 .statement_ms = a->set->query_ms};

    while (a->n_db < (size_t)a->set->database_connections) {
        if (pg_new(a->loop, &opts, &events, a, &a->db[a->n_db], err) != ERR_OK)
            return err->code;
        a->n_db++;
    }
    return ERR_OK;
}

static void on_key_changed(void *ctx, const char *id)
{
    const struct api *a = ctx;

    if (a->streams)
        streams_end_of(a->streams, id);
}

static enum err_code open_keys(struct api *a, struct err *err)
{
    const struct keys_opts opts = {.conninfo = a->set->database,
                                   .statement_ms = a->set->query_ms,
                                   .changed = on_key_changed,
                                   .ctx = a};

    return a->set->anonymous ? ERR_OK : keys_new(a->loop, &opts, &a->keys, err);
}

static enum err_code open_producer(struct api *a, struct err *err)
{
    const struct kafka_conf conf = {.brokers = a->set->brokers,
                                    .client_id = "sandfleet-api",
                                    .file = a->set->kafka_config,
                                    .props = &a->set->kafka_props};
    const struct producer_opts opts = {.linger_ms = LINGER_MS,
                                       .timeout_ms = a->set->ack_ms,
                                       .room = intake_on_room,
                                       .fatal = on_producer_dead,
                                       .ctx = a};

    if (producer_new(a->loop, &conf, &opts, &a->producer, err) != ERR_OK)
        return err->code;
    for (int lane = 0; lane < LANES; lane++)
        producer_know(a->producer, a->topics.name[topic_of_lane((enum run_lane)lane)]);
    return ERR_OK;
}

static enum err_code listen_at(struct api *a, const struct http_tls *tls, char *url,
                               struct err *err)
{
    char plain[LISTEN_URL_ROOM];
    struct http_server_opts opts = {.app = a,
                                    .tls = tls,
                                    .begin = call_begin,
                                    .whole = call_whole,
                                    .refuse = call_refuse,
                                    .connections = (size_t)a->set->connections,
                                    .headers_max = API_CONNECTION_MAX,
                                    .idle_ms = a->set->request_ms + IDLE_MS,
                                    .life_ms = a->set->request_ms};

    if (listen_open("--listen", a->set->listen, &opts.listen_fd, plain, err) != ERR_OK)
        return err->code;
    (void)snprintf(url, URL_ROOM, "http%s%s", tls ? "s" : "", plain + strlen("http"));
    return http_server_new(a->loop, &opts, &a->server, err);
}

static enum err_code open_door(struct api *a, char *url, struct err *err)
{
    struct http_tls *tls = NULL;

    if (a->set->tls_cert && http_tls_load(a->set->tls_cert, a->set->tls_key, &tls, err) != ERR_OK)
        return err->code;
    enum err_code rc = listen_at(a, tls, url, err);
    http_tls_free(tls);
    return rc;
}

static enum err_code start(struct api *a, struct err *err)
{
    char url[URL_ROOM];

    if (process_need_files(a->set->connections + a->set->streams + FILES_BESIDE, err) != ERR_OK ||
        topics_load(a->set->prefix, &a->topics, err) != ERR_OK ||
        loop_new(&a->loop, err) != ERR_OK || loop_on_stop(a->loop, on_stop, a, err) != ERR_OK ||
        open_database(a, err) != ERR_OK || open_keys(a, err) != ERR_OK ||
        feed_new(a->loop, a->set->database, a->set->query_ms, &a->feed, err) != ERR_OK ||
        streams_new(a, &a->streams, err) != ERR_OK || waits_new(a, &a->waits, err) != ERR_OK ||
        open_producer(a, err) != ERR_OK)
        return err->code;
    a->drain = timer_new(a->loop, on_drain, a);
    a->notes = telling_new(a, &note_telling);
    a->audits = telling_new(a, &audit_telling);
    a->purge = purge_new(a);
    a->metrics = seen_new();
    if (!a->drain || !a->notes || !a->audits || !a->purge || !a->metrics)
        return err_set(err, ERR_NOMEM, "the API");
    if (open_door(a, url, err) != ERR_OK)
        return err->code;
    if (a->set->anonymous)
        log_event(LOG_WARN, "api.anonymous", LF("tenant", a->set->anonymous),
                  LF("next", "create keys, and start without --anonymous"));
    log_event(LOG_INFO, "api.ready", LF("url", url));
    return ERR_OK;
}

static void release(struct api *a)
{
    http_server_free(a->server);
    calls_abandon(a);
    streams_free(a->streams);
    waits_free(a->waits);
    feed_free(a->feed);
    producer_free(a->producer);
    keys_free(a->keys);
    telling_free(a->notes);
    telling_free(a->audits);
    for (size_t i = 0; i < a->n_db; i++)
        pg_free(a->db[i]);
    purge_free(a->purge);
    timer_free(a->drain);
    loop_free(a->loop);
    topics_release(&a->topics);
    metrics_free(a->metrics);
    free(a);
}

enum err_code api_run(const struct settings *set, struct err *err)
{
    struct api *a = calloc(1, sizeof(*a));

    if (!a)
        return err_set(err, ERR_NOMEM, "the API");
    a->set = set;
    if (start(a, err) == ERR_OK) {
        loop_run(a->loop);
        if (a->fatal.code != ERR_OK)
            *err = a->fatal;
        log_event(a->n_calls ? LOG_WARN : LOG_INFO, "api.stopped", LF_INT("calls", a->n_calls),
                  LF_INT("unanswered", calls_unanswered(a)));
    }
    release(a);
    return err->code;
}

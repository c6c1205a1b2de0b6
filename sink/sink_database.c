/* SPDX-License-Identifier: Apache-2.0 */
/* The database's side: session, schema version, positions. */
#include <stdlib.h>

#include "common/log.h"
#include "schema/migrate.h"

#include "sink/sink_internal.h"
#include "sink/writer_sql.h"

#include "common/banned.h"

/* --- a session ------------------------------------------------------------------------- */

/* Of a session's first commands: what waiting does not cure ends the process. */
bool sink_session_failed(struct sink *s, const struct err *e)
{
    if (e->code == ERR_OK)
        return false;
    log_event(LOG_DEBUG, "sink.session_failed", LF_ERR(e));
    if (e->code == ERR_CONFIG) {
        sink_fail(s, e);
    } else { /* half a session is none; when it is gone already, another one comes by itself */
        s->session_broken = true;
        sink_retry_later(s);
    }
    return true;
}

static void on_prepared(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;

    (void)res;
    if (sink_session_failed(s, e) || s->session_broken)
        return;
    s->session_ready = true;
    sink_try(s);
}

static void on_step(void *ctx, PGresult *res, const struct err *e)
{
    (void)res;
    (void)sink_session_failed(ctx, e);
}

static enum err_code choose_schema(struct sink *s, struct err *err)
{
    const char *sql = s->rebuild ? "SET search_path = fleet_next" : "SET search_path = fleet";

    return pg_send(s->pg, &(struct pg_cmd){.sql = sql}, on_step, s, err);
}

void sink_prepare(struct sink *s)
{
    struct err err = ERR_INIT;

    if (choose_schema(s, &err) != ERR_OK) {
        (void)sink_session_failed(s, &err);
        return;
    }
    for (size_t i = 0; i < writer_session_n; i++) {
        pg_fn fn = i + 1 < writer_session_n ? on_step : on_prepared;
        if (pg_send(s->pg, &(struct pg_cmd){.sql = writer_session_sql[i]}, fn, s, &err) != ERR_OK) {
            (void)sink_session_failed(s, &err);
            return;
        }
    }
}

static void on_version(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;
    struct err err = ERR_INIT;

    if (sink_session_failed(s, e))
        return;
    if (migrate_judge(pg_int(res, 0, 0), &err) != ERR_OK)
        sink_fail(s, &err);
    else if (s->rebuild)
        rebuild_begin(s);
    else
        sink_prepare(s);
}

static void on_up(void *ctx)
{
    struct sink *s = ctx;
    struct err err = ERR_INIT;

    log_event(LOG_INFO, "sink.database_up");
    s->session_broken = false;
    if (pg_send(s->pg, &(struct pg_cmd){.sql = migrate_version_sql}, on_version, s, &err) != ERR_OK)
        (void)sink_session_failed(s, &err);
}

static void on_down(void *ctx, const struct err *e)
{
    struct sink *s = ctx;

    log_event(LOG_WARN, "sink.database_down", LF_ERR(e));
    s->session_ready = s->session_broken = false;
    s->asking = false;
    sink_forget(s);
    if (s->consumer)
        sink_pause(s, true);
}

const struct pg_events sink_pg_events = {.up = on_up, .down = on_down};

/* --- positions ---------------------------------------------------------------------------- */

/* Whoever had the partitions before may be frozen in a transaction. */
static void on_evicted(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx;
    if (e->code == ERR_OK && pg_int(res, 0, 0) > 0)
        log_event(LOG_WARN, "sink.evicted", LF_INT("sessions", pg_int(res, 0, 0)));
}

static enum err_code ask(struct sink *s, pg_fn fn, struct err *err)
{
    AUTO_BUF topics = BUF_INIT(1024);
    struct pg_cmd cmd = {.sql = offsets_load_sql, .n = 1};

    offsets_topics(&s->offsets, &topics);
    cmd.v[0] = topics.p;
    if (topics.rc != ERR_OK)
        return err_set(err, topics.rc, "names of topics");
    if (pg_send(s->pg, &cmd, fn, s, err) != ERR_OK)
        return err->code;
    s->asking = true;
    return ERR_OK;
}

void sink_start_there(struct sink *s)
{
    struct partition *ps = calloc(s->offsets.n ? s->offsets.n : 1, sizeof(*ps));
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!ps) {
        err_set(&err, ERR_NOMEM, "an assignment");
        sink_fail(s, &err);
        return;
    }
    offsets_partitions(&s->offsets, ps);
    rc = consumer_assign(s->consumer, ps, s->offsets.n, &err);
    free(ps);
    if (rc != ERR_OK) {
        log_event(LOG_WARN, "sink.assign_failed", LF_ERR(&err));
        sink_retry_later(s);
        return;
    }
    s->loaded = true;
    sink_pause(s, false);
    log_event(LOG_INFO, s->ready ? "sink.assigned" : "sink.ready",
              LF_INT("partitions", s->offsets.n));
    s->ready = true;
    if (s->rebuild)
        rebuild_check(s);
}

static void on_loaded(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;

    s->asking = false;
    if (e->code == ERR_CONFIG) {
        sink_fail(s, e);
    } else if (e->code != ERR_OK) {
        sink_retry_later(s);
    } else if (!s->assigned || s->loaded || s->stopping) {
        return; /* revoked meanwhile */
    } else {
        offsets_take(&s->offsets, res);
        if (s->rebuild)
            rebuild_limit(s);
        else if (!sink_accepts_loss(s))
            sink_start_there(s);
    }
}

void sink_load(struct sink *s)
{
    struct err err = ERR_INIT;

    if (!s->session_ready || !s->assigned || s->loaded || s->asking || writer_busy(s->writer))
        return;
    if (pg_send(s->pg, &(struct pg_cmd){.sql = sql_evict_frozen}, on_evicted, s, &err) != ERR_OK ||
        ask(s, on_loaded, &err) != ERR_OK)
        sink_retry_later(s);
}

/* --- while idle ----------------------------------------------------------------------------- */

/* A batch that began meanwhile finds out by itself, under the lock. */
static void on_checked(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;

    s->asking = false;
    if (e->code == ERR_OK && s->loaded && !writer_busy(s->writer) &&
        !offsets_agree(&s->offsets, res)) {
        log_event(LOG_WARN, "sink.rewound",
                  LF("why", "the database does not have our last commit, or has somebody else's"));
        sink_forget(s);
    }
    if (!s->loaded)
        sink_try(s);
}

void sink_show_offsets(struct sink *s)
{
    struct err ignored = ERR_INIT;

    for (size_t i = 0; s->loaded && !s->rebuild && i < s->offsets.n; i++) {
        struct position *p = &s->offsets.v[i];

        if (p->committed < 0 || p->committed == p->shown)
            continue;
        if (consumer_commit(s->consumer, s->topics.name[p->topic], p->id, p->committed, &ignored) ==
            ERR_OK)
            p->shown = p->committed;
    }
}

void sink_on_tick(void *ctx)
{
    struct sink *s = ctx;
    struct err ignored = ERR_INIT;

    timer_start(s->tick, s->settings->offsets_check_ms);
    sink_show_offsets(s);
    if (s->loaded && s->session_ready && !s->asking && s->forming->n == 0 &&
        !writer_busy(s->writer))
        (void)ask(s, on_checked, &ignored);
}

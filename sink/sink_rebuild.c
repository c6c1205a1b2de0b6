/* SPDX-License-Identifier: Apache-2.0 */
/* sandfleet-sink rebuild: the same sink, with all partitions its own, writes the tables of
 * schema fleet_next from the topics' beginning up to where the read model stands. Then it
 * holds the positions of the running sink, which waits, reads what came meanwhile, and lets the
 * database put the new rows in the place of the old ones (schema/migrations, rebuild_switch). */
#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "schema/migrate.h"

#include "sink/sink_internal.h"

#include "common/banned.h"

enum {
    ASK_MS = 3000,
    ARRAY_MAX = 1 << 20,
    CLOSE_MS = 5000,            /* a pass that took no longer left little behind */
    PASSES_MAX = 10,            /* then the running sink has to wait for the rest, however much */
    SWITCH_MS = 6 * 3600 * 1000 /* the switch moves all rows of all runs */
};

enum step { REPLAYING, HOLDING, CATCHING_UP, SWITCHING };

struct rebuild {
    struct sink *sink;
    struct pg *pg; /* holds the positions, and switches; NULL while replaying */
    enum step step;
    int passes;
    int64_t began_ms;
};

enum err_code rebuild_new(struct sink *s, struct err *err)
{
    s->rebuild = calloc(1, sizeof(*s->rebuild));
    if (!s->rebuild)
        return err_set(err, ERR_NOMEM, "rebuild");
    s->rebuild->sink = s;
    return ERR_OK;
}

void rebuild_free(struct rebuild *r)
{
    if (!r)
        return;
    pg_free(r->pg);
    free(r);
}

/* --- the tables ------------------------------------------------------------------------------ */

static const char *const kinds[] = {
    [TOPIC_INTERACTIVE] = "interactive",
    [TOPIC_BATCH] = "batch",
    [TOPIC_EVENTS] = "events",
    [TOPIC_DLQ] = "dlq",
};

struct starts { /* kinds, topics, partitions, where each log begins and ends: array literals */
    struct buf v[5];
    size_t n;
};

#define STARTS_MAX BUF_INIT(ARRAY_MAX)
#define STARTS_INIT                                                                                \
    {                                                                                              \
        .v = { STARTS_MAX, STARTS_MAX, STARTS_MAX, STARTS_MAX, STARTS_MAX }                        \
    }

static void starts_release(struct starts *l)
{
    for (size_t i = 0; i < COUNTOF(l->v); i++)
        buf_release(&l->v[i]);
}

static enum err_code add_topic(struct sink *s, struct kafka_admin *admin, enum topic t,
                               struct starts *out, struct err *err)
{
    const char *name = s->topics.name[t];
    int32_t partitions = 0;
    int64_t low, high;
    enum err_code rc = kafka_admin_partitions(admin, name, ASK_MS, &partitions, err);

    for (int32_t id = 0; rc == ERR_OK && id < partitions; id++) {
        const char *sep = out->n++ ? "," : "{";

        rc = kafka_admin_offsets(admin, name, id, ASK_MS, &low, &high, err);
        buf_addf(&out->v[0], "%s%s", sep, kinds[t]);
        buf_addf(&out->v[1], "%s%s", sep, name);
        buf_addf(&out->v[2], "%s%" PRId32, sep, id);
        buf_addf(&out->v[3], "%s%" PRId64, sep, low);
        buf_addf(&out->v[4], "%s%" PRId64, sep, high);
    }
    return rc;
}

/* Asks Kafka, which blocks: nothing else goes on before it is known where the logs begin. */
static enum err_code find_starts(struct sink *s, struct starts *out, struct err *err)
{
    const struct kafka_conf conf = {.brokers = s->settings->brokers,
                                    .client_id = "sandfleet-sink",
                                    .file = s->settings->kafka_config,
                                    .props = &s->settings->kafka_props};
    struct kafka_admin *admin;
    enum err_code rc = kafka_admin_new(&conf, &admin, err);

    for (int t = 0; rc == ERR_OK && t < TOPICS; t++)
        rc = add_topic(s, admin, (enum topic)t, out, err);
    kafka_admin_free(admin);
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(out->v); i++) {
        buf_adds(&out->v[i], out->n ? "}" : "{}");
        if (out->v[i].rc != ERR_OK)
            rc = err_set(err, out->v[i].rc, "the topics' partitions");
    }
    return rc;
}

static void on_begun(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;
    struct err err = ERR_INIT;

    if (sink_session_failed(s, e))
        return;
    if (str_is(str_of(pg_text(res, 0, 0)), "busy")) {
        log_event(LOG_WARN, "rebuild.busy", LF("next", "waiting for another rebuild to end"));
        s->session_broken = true;
        sink_retry_later(s);
        return;
    }
    if (str_is(str_of(pg_text(res, 0, 0)), "shorter")) {
        err_set(&err, ERR_CONFIG,
                "a topic ends before the place up to which the tables have it: it is not "
                "the one they were made from");
        sink_fail(s, &err);
        return;
    }
    log_event(LOG_INFO, "rebuild.begun", LF("tables", pg_text(res, 0, 0)));
    sink_prepare(s);
}

void rebuild_begin(struct sink *s)
{
    AUTO(starts_release) struct starts l = STARTS_INIT;
    struct pg_cmd cmd = {.sql = "SELECT fleet.rebuild_begin($1, $2::text[], $3::text[], $4::int[], "
                                "$5::bigint[], $6::bigint[])",
                         .n = 6};
    struct err err = ERR_INIT;
    char version[64];

    snprintf(version, sizeof(version), "rebuilt by %s at schema %d", SF_VERSION, SCHEMA_VERSION);
    cmd.v[0] = version;
    if (find_starts(s, &l, &err) == ERR_OK) {
        for (size_t i = 0; i < COUNTOF(l.v); i++)
            cmd.v[i + 1] = l.v[i].p;
        if (pg_send(s->pg, &cmd, on_begun, s, &err) == ERR_OK)
            return;
    }
    log_event(LOG_WARN, "rebuild.waiting", LF_ERR(&err));
    (void)sink_session_failed(s, &err);
}

/* --- how far -----------------------------------------------------------------------------------
 */

static enum err_code list_partitions(struct sink *s, struct kafka_admin *admin,
                                     struct partition **ps, size_t *n, struct err *err)
{
    int32_t count[TOPICS] = {0};
    size_t total = 0;

    for (int t = 0; t < TOPICS; t++) {
        if (kafka_admin_partitions(admin, s->topics.name[t], ASK_MS, &count[t], err) != ERR_OK)
            return err->code;
        total += (size_t)count[t];
    }
    *ps = calloc(total ? total : 1, sizeof(**ps));
    if (!*ps)
        return err_set(err, ERR_NOMEM, "an assignment");
    for (int t = 0; t < TOPICS; t++)
        for (int32_t id = 0; id < count[t]; id++)
            (*ps)[(*n)++] = (struct partition){.topic = s->topics.name[t], .id = id};
    return ERR_OK;
}

enum err_code rebuild_assign(struct sink *s, struct err *err)
{
    const struct kafka_conf conf = {.brokers = s->settings->brokers,
                                    .client_id = "sandfleet-sink",
                                    .file = s->settings->kafka_config,
                                    .props = &s->settings->kafka_props};
    struct kafka_admin *admin = NULL;
    struct partition *ps = NULL;
    size_t n = 0;
    enum err_code rc = kafka_admin_new(&conf, &admin, err);

    if (rc == ERR_OK)
        rc = list_partitions(s, admin, &ps, &n, err);
    if (rc == ERR_OK)
        rc = offsets_assign(&s->offsets, ps, n, err);
    kafka_admin_free(admin);
    free(ps);
    if (rc == ERR_OK) {
        s->assigned = true;
        sink_try(s);
        return ERR_OK;
    }
    consumer_free(s->consumer);
    s->consumer = NULL;
    return rc;
}

static void on_limits(void *ctx, PGresult *res, const struct err *e)
{
    struct sink *s = ctx;

    s->asking = false;
    if (e->code != ERR_OK) {
        sink_retry_later(s);
    } else if (!s->stopping) {
        offsets_limit(&s->offsets, res);
        s->rebuild->began_ms = loop_now_ms(s->loop);
        sink_start_there(s);
    }
}

void rebuild_limit(struct sink *s)
{
    const struct pg_cmd cmd = {.sql = "SELECT topic, partition, next FROM fleet.sink_offsets"};
    struct err err = ERR_INIT;

    s->asking = pg_send(s->pg, &cmd, on_limits, s, &err) == ERR_OK;
    if (!s->asking)
        sink_retry_later(s);
}

/* --- the switch ---------------------------------------------------------------------------------
 */

static void on_switched(void *ctx, PGresult *res, const struct err *e)
{
    struct rebuild *r = ctx;

    if (e->code != ERR_OK) {
        log_event(LOG_ERROR, "rebuild.not_switched",
                  LF("next", "start it again: it goes on where it was"));
        sink_fail(r->sink, e);
        return;
    }
    log_event(LOG_INFO, "rebuild.switched", LF("rows", pg_text(res, 0, 0)));
}

static void on_committed(void *ctx, PGresult *res, const struct err *e)
{
    struct rebuild *r = ctx;

    (void)res;
    if (e->code != ERR_OK) {
        sink_fail(r->sink, e);
        return;
    }
    log_event(LOG_INFO, "rebuild.done");
    r->sink->stopping = true;
    loop_stop(r->sink->loop);
}

static void do_switch(struct rebuild *r)
{
    struct err err = ERR_INIT;

    r->step = SWITCHING;
    if (pg_send(r->pg, &(struct pg_cmd){.sql = "SELECT fleet.rebuild_switch()"}, on_switched, r,
                &err) != ERR_OK ||
        pg_send(r->pg, &(struct pg_cmd){.sql = "COMMIT"}, on_committed, r, &err) != ERR_OK)
        sink_fail(r->sink, &err);
}

/* Read the positions anew and go on to them. */
static void next_pass(struct rebuild *r)
{
    r->passes++;
    sink_forget(r->sink);
    sink_try(r->sink);
}

static void on_held(void *ctx, PGresult *res, const struct err *e)
{
    struct rebuild *r = ctx;

    (void)res;
    if (e->code != ERR_OK) {
        sink_fail(r->sink, e);
        return;
    }
    log_event(LOG_INFO, "rebuild.holding");
    r->step = CATCHING_UP;
    next_pass(r);
}

/* Whoever reads events for longer than that ends the switch: all others would wait behind it.
 * Readers are not concerned; a running sink's next batch waits, gives up, and comes again. */
static void on_up(void *ctx)
{
    struct rebuild *r = ctx;
    struct err err = ERR_INIT;

    if (pg_send(r->pg,
                &(struct pg_cmd){.sql = "BEGIN; SET LOCAL lock_timeout = '5s';"
                                        " LOCK TABLE fleet.sink_offsets IN EXCLUSIVE MODE"},
                on_held, r, &err) != ERR_OK)
        sink_fail(r->sink, &err);
}

/* What it held is free again, and the switch, if it was under way, in doubt. */
static void on_down(void *ctx, const struct err *e)
{
    struct rebuild *r = ctx;

    sink_fail(r->sink, e);
}

static void hold(struct rebuild *r)
{
    const struct pg_opts opts = {.conninfo = r->sink->settings->database,
                                 .name = "sandfleet-rebuild-switch",
                                 .statement_ms = SWITCH_MS};
    static const struct pg_events events = {.up = on_up, .down = on_down};
    struct err err = ERR_INIT;

    r->step = HOLDING;
    if (pg_new(r->sink->loop, &opts, &events, r, &r->pg, &err) != ERR_OK)
        sink_fail(r->sink, &err);
}

void rebuild_check(struct sink *s)
{
    struct rebuild *r = s->rebuild;

    if (!s->loaded || s->stopping || s->forming->n > 0 || writer_busy(s->writer) ||
        !offsets_done(&s->offsets))
        return;
    if (r->step == CATCHING_UP)
        do_switch(r);
    else if (r->step == REPLAYING && r->passes < PASSES_MAX &&
             loop_now_ms(s->loop) - r->began_ms > CLOSE_MS)
        next_pass(r);
    else if (r->step == REPLAYING)
        hold(r);
}

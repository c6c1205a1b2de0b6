/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook.h"

#include <stdio.h>

#include "common/backoff.h"
#include "common/log.h"
#include "common/process.h"
#include "common/secret/keyring.h"
#include "schema/migrate.h"
#include "schema/topics.h"
#include "webhook/intake.h"
#include "webhook/seen.h"
#include "webhook/sender.h"

#include "common/banned.h"

enum {
    TOPICS_CHECK_MS = 3000, /* blocks: nothing else goes on before there is a consumer */
    TOPICS_TRIES = 3,       /* topics made a moment ago may not be seen by every broker yet */
    RETRY_MS = 100,
    RETRY_CAP_MS = 5000,
    FILES_BESIDE = 256
};

struct webhook {
    const struct settings *set;
    struct topics topics;
    char group[160];
    struct keyring *keys;
    struct loop *loop;
    struct pg *pg;
    struct metrics *metrics;
    struct http_pages *pages;
    struct intake *intake; /* NULL: Kafka was not there yet */
    struct sender *sender;
    struct intake_opts intake_opts;
    struct sender_opts sender_opts;
    struct seen_opts seen_opts;
    struct timer *start;
    struct backoff backoff;
    int refusals; /* starts that failed for a reason that waiting hardly cures */
    bool up;      /* the database, and its schema is ours */
    bool ready, stopping;
    struct err fatal; /* why the process ends, when not asked to */
};

static void fail(void *ctx, const struct err *e)
{
    struct webhook *w = ctx;

    if (w->fatal.code == ERR_OK)
        w->fatal = *e;
    loop_stop(w->loop);
}

static void say_ready(struct webhook *w)
{
    if (w->ready || !w->up || !w->intake)
        return;
    w->ready = true;
    log_event(LOG_INFO, "webhook.ready", LF("group", w->group));
}

/* --- the parts' events ----------------------------------------------------------------- */

static void on_made(void *ctx, int64_t rows)
{
    const struct webhook *w = ctx;

    seen_made(w->metrics, rows);
    sender_poke(w->sender);
}

static void on_idle(void *ctx)
{
    const struct webhook *w = ctx;

    loop_stop(w->loop);
}

static void look(void *ctx, struct seen_now *out)
{
    const struct webhook *w = ctx;

    *out = (struct seen_now){.database_up = w->up,
                             .kafka_started = w->intake != NULL,
                             .stopping = w->stopping,
                             .waiting = w->intake ? intake_waiting(w->intake) : 0,
                             .sending = sender_busy(w->sender)};
}

/* --- the database ------------------------------------------------------------------------ */

static void tell_parts(struct webhook *w, bool up)
{
    w->up = up;
    sender_up(w->sender, up);
    if (w->intake)
        intake_up(w->intake, up);
    say_ready(w);
}

static void on_version(void *ctx, PGresult *res, const struct err *e)
{
    struct webhook *w = ctx;
    struct err err = ERR_INIT;

    if (e->code == ERR_CONFIG)
        fail(w, e);
    else if (e->code != ERR_OK)
        pg_reset(w->pg);
    else if (migrate_judge(pg_int(res, 0, 0), &err) != ERR_OK)
        fail(w, &err);
    else
        tell_parts(w, true);
}

static void on_up(void *ctx)
{
    struct webhook *w = ctx;
    const struct pg_cmd cmd = {.sql = migrate_version_sql};
    struct err err = ERR_INIT;

    if (pg_send(w->pg, &cmd, on_version, w, &err) != ERR_OK)
        pg_reset(w->pg);
}

static void on_down(void *ctx, const struct err *e)
{
    log_event(LOG_WARN, "webhook.database_down", LF_ERR(e));
    tell_parts(ctx, false);
}

/* --- Kafka --------------------------------------------------------------------------------- */

static enum err_code check_topics(const struct webhook *w, const struct kafka_conf *conf,
                                  struct err *err)
{
    struct kafka_admin *admin;
    enum err_code rc = kafka_admin_new(conf, &admin, err);

    if (rc != ERR_OK)
        return rc;
    rc = topics_check(&w->topics, admin, TOPICS_CHECK_MS, err);
    kafka_admin_free(admin);
    return rc;
}

static void on_start(void *ctx)
{
    struct webhook *w = ctx;
    const struct kafka_conf conf = {.brokers = w->set->brokers,
                                    .client_id = "sandfleet-webhook",
                                    .file = w->set->kafka_config,
                                    .props = &w->set->kafka_props};
    struct err err = ERR_INIT;

    if (w->stopping)
        return;
    if (check_topics(w, &conf, &err) == ERR_OK &&
        intake_new(w->loop, w->pg, &conf, &w->intake_opts, &w->intake, &err) == ERR_OK) {
        intake_up(w->intake, w->up);
        say_ready(w);
        return;
    }
    intake_free(w->intake);
    w->intake = NULL;
    if (err_action(err.code) != ERR_DO_RETRY && ++w->refusals > TOPICS_TRIES) {
        fail(w, &err);
        return;
    }
    log_event(LOG_WARN, "webhook.kafka_down", LF_ERR(&err));
    timer_start(w->start, backoff_next_ms(&w->backoff));
}

/* --- life ---------------------------------------------------------------------------------- */

/* What is under way may end, and be written down; --timeout is its limit. */
static void on_stop(void *ctx, int count)
{
    struct webhook *w = ctx;

    log_event(LOG_INFO, "webhook.stopping", LF_INT("signals", count),
              LF_INT("sending", sender_busy(w->sender)));
    w->stopping = true;
    if (count > 1 || !w->up)
        loop_stop(w->loop);
    else
        sender_stop(w->sender);
}

static enum err_code open_keys(struct webhook *w, struct err *err)
{
    const struct keyring_source from = {.file = w->set->key_file, .command = w->set->key_command};
    enum err_code rc = keyring_open(&from, &w->keys, err);

    if (rc == ERR_OK && !w->keys)
        rc = err_set(err, ERR_CONFIG,
                     "there are no master keys, and nothing is sent unsigned: --master-key-file "
                     "(SANDFLEET_MASTER_KEY_FILE) says where they are");
    return rc;
}

static void say_options(struct webhook *w)
{
    const struct settings *set = w->set;

    w->intake_opts = (struct intake_opts){
        w->group, w->topics.name[TOPIC_EVENTS], set->public_url, on_made, fail, w};
    w->sender_opts = (struct sender_opts){set, w->keys, w->metrics, fail, on_idle, w};
    w->seen_opts = (struct seen_opts){w->metrics, look, w};
}

static enum err_code init(struct webhook *w, const struct settings *set, struct err *err)
{
    static const struct pg_events events = {.up = on_up, .down = on_down};
    const struct pg_opts pg = {
        .conninfo = set->database, .name = "sandfleet-webhook", .pipeline = true};

    w->set = set;
    w->backoff = BACKOFF_INIT(RETRY_MS, RETRY_CAP_MS);
    w->metrics = seen_new();
    (void)snprintf(w->group, sizeof(w->group), "%swebhook", set->prefix);
    if (!w->metrics)
        return err_set(err, ERR_NOMEM, "metrics");
    if (process_need_files(set->concurrency + FILES_BESIDE, err) != ERR_OK ||
        open_keys(w, err) != ERR_OK || topics_load(set->prefix, &w->topics, err) != ERR_OK ||
        loop_new(&w->loop, err) != ERR_OK || loop_on_stop(w->loop, on_stop, w, err) != ERR_OK)
        return err->code;
    say_options(w);
    w->start = timer_new(w->loop, on_start, w);
    if (!w->start)
        return err_set(err, ERR_NOMEM, "a timer");
    timer_start(w->start, 0);
    if (pg_new(w->loop, &pg, &events, w, &w->pg, err) != ERR_OK ||
        sender_new(w->loop, w->pg, &w->sender_opts, &w->sender, err) != ERR_OK)
        return err->code;
    return set->metrics_listen
               ? seen_open(w->loop, set->metrics_listen, &w->seen_opts, &w->pages, err)
               : ERR_OK;
}

static void release(struct webhook *w)
{
    http_pages_free(w->pages);
    pg_free(w->pg);
    intake_free(w->intake);
    sender_free(w->sender);
    timer_free(w->start);
    loop_free(w->loop);
    topics_release(&w->topics);
    metrics_free(w->metrics);
    keyring_free(w->keys);
}

enum err_code webhook_run(const struct settings *set, struct err *err)
{
    struct webhook w = {0};

    if (init(&w, set, err) == ERR_OK) {
        loop_run(w.loop);
        log_event(LOG_INFO, "webhook.stopped");
        if (w.fatal.code != ERR_OK)
            *err = w.fatal;
    }
    release(&w);
    return err->code;
}

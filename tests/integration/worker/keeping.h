/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what keeps the fleet's sandboxes: a ledger on a real server, a sandboxd, and a
 * loop that runs until both say what is waited for. */
#ifndef SANDFLEET_TESTS_WORKER_KEEPING_H
#define SANDFLEET_TESTS_WORKER_KEEPING_H

#include "tests/integration/worker/fixture.h"
#include "tests/integration/worker/ledger_db.h"

#include "common/json/json.h"
#include "common/log.h"

enum { LOOK_MS = 20 };

static struct {
    struct ledger *ledger;
    struct sandbox_service *service;
    struct sandbox_sizes sizes;
    char ledger_id[UUID_TEXT];
    char listed[4096]; /* the newest list: " id key" of each */
    int n_listed;
} kp;

static inline void kp_up(void *ctx)
{
    (void)ctx;
    loop_stop(fx.loop);
}

static inline int kp_open(void **state)
{
    static const struct pg_events events = {.up = kp_up};
    struct ledger_opts opts = {.worker_id = "w1", .statement_ms = 5000, .events = &events};
    struct err err = ERR_INIT;

    if (fx_up(state) != 0 || open_database(state) != 0)
        return -1;
    opts.conninfo = db.conninfo;
    kp.sizes.rates = SANDBOX_RATES_INIT;
    kp.service = fx_service(NULL, NULL);
    if (ledger_new(fx.loop, &opts, &kp.ledger, &err) != ERR_OK)
        return -1;
    fx_run();
    snprintf(kp.ledger_id, sizeof(kp.ledger_id), "%s", value(sandbox_sql_installation));
    return 0;
}

static inline int kp_close(void **state)
{
    ledger_free(kp.ledger);
    sandbox_service_free(kp.service);
    return close_database(state) + fx_down(state);
}

/* --- what sandboxd has --------------------------------------------------------- */

static inline void kp_each(void *ctx, const struct sandbox_info *info)
{
    const char *key = json_get_string(info->metadata, "key");
    size_t n = strlen(kp.listed);

    (void)ctx;
    kp.n_listed++;
    snprintf(kp.listed + n, sizeof(kp.listed) - n, " %s %s", info->id, key ? key : "-");
}

static inline void kp_listed(void *ctx, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    loop_stop(fx.loop);
}

/* How many there are. */
static inline int kp_list(void)
{
    const struct sandbox_query query = {0};
    struct sandbox_list *list;
    struct err err = ERR_INIT;

    kp.listed[0] = '\0';
    kp.n_listed = 0;
    assert_string_equal(
        err_name(sandbox_list(kp.service, &query, kp_each, kp_listed, NULL, &list, &err)), "OK");
    fx_run();
    return kp.n_listed;
}

static inline bool kp_has(const char *sandbox)
{
    (void)kp_list();
    return strstr(kp.listed, sandbox) != NULL;
}

/* One that carries this ledger's id, or another's. */
static inline void kp_make(const char *key, const char *ledger, char id[64])
{
    const struct sandbox_want want = {
        .template = "base", .ttl_ms = 300000, .key = key, .ledger = ledger};
    struct fx_got got = {0};
    struct sandbox_op *op;
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_create(kp.service, &want, &fx_events, &got, &op, &e)),
                        "OK");
    fx_run();
    assert_non_null(got.sb);
    snprintf(id, 64, "%s", sandbox_id(got.sb));
    sandbox_free(got.sb);
}

static inline void kp_killed(void *ctx, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    loop_stop(fx.loop);
}

static inline void kp_kill(const char *id)
{
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_kill(kp.service, id, kp_killed, NULL, &e)), "OK");
    fx_run();
}

/* --- waiting ------------------------------------------------------------------- */

struct kp_wait {
    const char *sql;         /* its one value is true, or… */
    bool (*yes)(void *what); /* …this is */
    void *what;
    struct timer *timer;
};

static inline void kp_look(void *ctx)
{
    struct kp_wait *w = ctx;

    if (w->sql ? strcmp(value(w->sql), "t") == 0 : w->yes(w->what))
        loop_stop(fx.loop);
    else
        timer_start(w->timer, LOOK_MS);
}

/* Runs the loop until it is so, for a minute at most. */
static inline void kp_wait(struct kp_wait w)
{
    w.timer = timer_new(fx.loop, kp_look, &w);
    timer_start(w.timer, 0);
    fx_run();
    timer_free(w.timer);
}

static inline void kp_until(const char *sql)
{
    kp_wait((struct kp_wait){.sql = sql});
}

static inline void kp_row(const char *key, const char *id, const char *state, const char *until)
{
    char sql[600];

    snprintf(sql, sizeof(sql),
             "INSERT INTO ledger.sandboxes (key, sandbox_id, state, template, tenant, run_id,"
             " session_id, until) VALUES ('%s', nullif('%s', ''), '%s', 'base', 't',"
             " gen_random_uuid(), 's', clock_timestamp() + interval '%s')",
             key, id, state, until);
    run_sql(db.conn, sql);
}

#endif

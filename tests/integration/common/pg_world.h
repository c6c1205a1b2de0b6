/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the database's connection: one, its loop, and what it told. */
#ifndef SANDFLEET_TESTS_PG_WORLD_H
#define SANDFLEET_TESTS_PG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "common/attrs.h"
#include "common/pg/pg.h"
#include "tests/integration/common/dev_stack.h"

struct world {
    struct loop *l;
    struct pg *p;
    struct timer *guard, *poll;
    int ups, downs, notes, done, failed, want, backend;
    char down[256], note[64], text[64];
    char codes[32][16];
    struct err e;
    int64_t last;
    bool disorder;
};

static inline void too_long(void *ctx)
{
    struct world *w = ctx;
    fail_msg("nothing happened in 60 s (up %d, down %d, done %d: %s)", w->ups, w->downs, w->done,
             w->down);
}

static inline void on_up(void *ctx)
{
    struct world *w = ctx;
    w->ups++;
    loop_stop(w->l);
}

static inline void on_down(void *ctx, const struct err *e)
{
    struct world *w = ctx;
    w->downs++;
    snprintf(w->down, sizeof w->down, "%s", e->msg);
    loop_stop(w->l);
}

static inline void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct world *w = ctx;
    w->notes++;
    snprintf(w->note, sizeof w->note, "%s:%s", channel, payload);
    loop_stop(w->l);
}

static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};

static inline int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(loop_new(&w->l, NULL), ERR_OK);
    w->guard = timer_new(w->l, too_long, w);
    timer_start(w->guard, 60000);
    w->want = 1;
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    pg_free(w->p);
    timer_free(w->guard);
    loop_free(w->l);
    free(w);
    return 0;
}

static inline void connect_to(struct world *w, const char *conninfo, struct pg_opts opts)
{
    struct err e = ERR_INIT;
    opts.conninfo = conninfo;
    opts.name = "test_pg";
    if (pg_new(w->l, &opts, &events, w, &w->p, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline void connect_up(struct world *w, struct pg_opts opts)
{
    connect_to(w, shared_server("SANDFLEET_DATABASE"), opts);
    loop_run(w->l);
    if (w->ups != 1)
        fail_msg("%s", w->down);
}

/* Notes the outcome; stops the loop when w->want answers have come. */
static inline void on_done(void *ctx, PGresult *res, const struct err *e)
{
    struct world *w = ctx;
    size_t slot = (size_t)w->done % COUNTOF(w->codes);
    w->done++;
    w->failed += e->code != ERR_OK;
    w->e = *e;
    snprintf(w->codes[slot], sizeof w->codes[slot], "%s", err_name(e->code));
    if (e->code == ERR_OK && PQntuples(res) > 0) {
        int64_t n = pg_int(res, 0, 0);
        w->disorder = w->disorder || n < w->last;
        w->last = n;
        snprintf(w->text, sizeof w->text, "%s", pg_text(res, 0, 0) ? pg_text(res, 0, 0) : "NULL");
    }
    if (w->done >= w->want)
        loop_stop(w->l);
}

static inline void send_cmd(struct world *w, const struct pg_cmd *cmd)
{
    struct err e = ERR_INIT;
    if (pg_send(w->p, cmd, on_done, w, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static inline void run(struct world *w, const char *sql)
{
    w->done = 0;
    w->want = 1;
    send_cmd(w, &(struct pg_cmd){.sql = sql});
    while (w->done < 1)
        loop_run(w->l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

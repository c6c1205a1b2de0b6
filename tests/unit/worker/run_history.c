/* SPDX-License-Identifier: Apache-2.0 */
/* One history, and all of them: as they are, cut at every step, cancelled at every step. */
#include <stdio.h>
#include <stdlib.h>

#include "run_world.h"
#include "tests/lib/table.h"
#include "common/log.h"
#include "common/banned.h"

static bool may_publish(void *ctx)
{
    (void)ctx;
    return w.may_publish;
}

static void on_streams(void *ctx)
{
    (void)ctx;
}

static void on_gone(void *ctx, struct run *r)
{
    (void)ctx;
    assert_false(w.gone);
    w.gone = true;
    run_free(r);
    w.run = NULL;
}

/* As the worker does it: it ends, and lets its runs go. */
static void on_refused(void *ctx, const struct err *e)
{
    (void)ctx;
    (void)e;
    world_note("refused");
    run_release(w.run);
}

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
static struct keyring *keys;
static struct run_proxy proxy;
struct sandbox_sizes world_sizes;
struct run_host world_host = {.worker_id = "w1",
                              .life = {.ledger_id = "l1", .sizes = &world_sizes},
                              .may_publish = may_publish,
                              .refused = on_refused,
                              .streams = on_streams,
                              .gone = on_gone};

/* As the ledger has it. */
static struct claim_credential *sealed_credential(void)
{
    const struct credential_what what = {
        .tenant = STR("*"), .name = STR("default"), .kind = CREDENTIAL_OAUTH};
    struct claim_credential *c = calloc(1, sizeof(*c));
    struct secret *plain = NULL;
    struct err err = ERR_INIT;

    assert_non_null(c);
    c->name = str_dup(what.name);
    c->tenant = str_dup(what.tenant);
    c->kind = what.kind;
    c->generation = 1;
    assert_int_equal(secret_new(STR("canary-0123456789"), &plain, &err), ERR_OK);
    assert_int_equal(credential_seal(world_host.keys, &what, plain, &c->sealed, &err), ERR_OK);
    secret_free(plain);
    return c;
}

void world_begin(const struct history *row)
{
    struct claim claim = {.attempt = 1,
                          .epoch = 1 + row->resumed + row->takeovers,
                          .failures = row->failures,
                          .uncounted = row->uncounted,
                          .log_line = row->line,
                          .started = row->begun,
                          .request = str_dup(str_of(row->request ? row->request : PLAIN)),
                          .credential = row->unknown_credential ? NULL : sealed_credential()};
    struct err err = ERR_INIT;

    if (row->damaged_credential)
        claim.credential->sealed.box.p[30] ^= 1;
    if (row->kind_none)
        claim.credential->kind = CREDENTIAL_NONE;
    memset(&w, 0, sizeof(w));
    w.trace = BUF_INIT(65536);
    w.may_publish = true;
    snprintf(claim.run_id, sizeof(claim.run_id), ID);
    proxy = (struct run_proxy){.only = row->only};
    world_host.base_url = row->plain_http ? "http://gateway.example" : NULL;
    world_host.proxy = row->proxy || row->only ? &proxy : NULL;
    world_host.life.park_ms = 1800000;
    world_host.life.cancel_ms = 1300;
    world_host.life.pause = row->pause;
    world_host.life.update_claude = row->update;
    world_host.times = row->times;
    world_host.store = row->store ? (struct store *)(uintptr_t)&w : NULL;
    if (run_new(&world_host, &claim, row->resumed, &w.run, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    run_start(w.run);
    world_turn();
}

void world_end(void)
{
    run_free(w.run);
    buf_release(&w.trace);
}

void world_play(const struct history *row)
{
    struct str rest = str_of(row->script), word;

    world_begin(row);
    while (str_next(&rest, ' ', &word))
        world_act(word);
}

static void history(void **state)
{
    const struct history *row = *state;

    world_play(row);
    assert_string_equal(w.trace.p, row->trace);
    world_end();
}

/* Answers what is still owed: none of it may do anything any more. */
static void let_all_come_back(void)
{
    assert_null(w.saved);
    assert_null(w.placed);
    assert_null(w.holding);
    assert_null(w.carried);
    if (w.room)
        world_act(STR("room"));
    if (w.info)
        world_tell_size(2, 512);
    if (w.call)
        world_act(STR("done"));
    else if (w.run && w.boot)
        world_act(STR("ready"));
    world_turn();
}

static void deposed_after(const struct history *row, size_t steps)
{
    struct str rest = str_of(row->script), word;

    world_begin(row);
    for (size_t i = 0; i < steps && str_next(&rest, ' ', &word); i++)
        world_act(word);
    if (w.run) {
        size_t before = w.trace.len;
        run_depose(w.run);
        world_turn();
        let_all_come_back();
        if (w.trace.len != before)
            fail_msg("%s, deposed after %zu steps: %s", row->name, steps, w.trace.p + before);
        assert_true(w.gone);
    }
    world_end();
}

/* Answers whatever is owed, one by one, until the run has ended. */
static void answer_something(void)
{
    if (w.placed)
        world_act(STR("new"));
    else if (w.saved)
        world_act(STR("held"));
    else if (w.carried)
        world_act(STR("carried"));
    else if (w.holding)
        world_act(STR("holding"));
    else if (w.collect && w.may_publish)
        world_act(STR("collected"));
    else if (w.call)
        world_act(STR("done"));
    else if (w.room)
        world_act(STR("noroom"));
    else if (w.info)
        world_tell_size(2, 512);
    else if (w.unacked > 0)
        world_act(STR("ack"));
    else if (w.agent && w.interrupted)
        world_act(STR("killed"));
    else if (w.boot && !w.answered)
        world_act(STR("ready"));
    else if (!w.may_publish)
        world_act(STR("confirm"));
    world_turn();
}

static void finish(const struct history *row, size_t steps)
{
    for (int i = 0; i < 50 && w.run; i++)
        answer_something();
    if (w.run || !w.gone)
        fail_msg("%s, cancelled after %zu steps, does not end: %s", row->name, steps, w.trace.p);
}

static const char *find_after(const char *text, const char *word)
{
    return text ? strstr(text, word) : NULL;
}

/* Where a cancel comes in time the run ends as cancelled, once, and nothing new is begun; where
 * it does not, the run goes on to the end it had. */
static void cancelled_after(const struct history *row, size_t steps, bool force)
{
    struct str rest = str_of(row->script), word;

    world_begin(row);
    for (size_t i = 0; i < steps && str_next(&rest, ' ', &word); i++)
        world_act(word);
    if (!w.run) {
        world_end();
        return;
    }
    size_t before = w.trace.len;
    world_act(force ? STR("force") : STR("cancel"));
    finish(row, steps);
    const char *said = find_after(w.trace.p, "say:run.cancelling");
    const char *more = w.trace.len > before ? w.trace.p + before : "";
    bool outrun = find_after(row->script, "outrun") != NULL; /* its end may be decided already */
    if (said && !outrun && !find_after(said, "say:run.cancelled"))
        fail_msg("%s, cancelled after %zu steps: %s", row->name, steps, w.trace.p);
    if (!row->resumed && find_after(more, "say:attempt.starting"))
        fail_msg("%s, cancelled after %zu steps, begins anew: %s", row->name, steps, w.trace.p);
    const char *closed = find_after(w.trace.p, "close");
    if (closed && find_after(closed + 1, "close"))
        fail_msg("%s, cancelled after %zu steps, ends twice: %s", row->name, steps, w.trace.p);
    world_end();
}

struct all {
    const struct history *rows;
    size_t n;
};

static void every_history_cut_at_every_step(void **state)
{
    const struct all *all = *state;

    for (size_t i = 0; i < all->n; i++) {
        struct str rest = str_of(all->rows[i].script), word;
        for (size_t steps = 0; str_next(&rest, ' ', &word); steps++)
            deposed_after(&all->rows[i], steps);
    }
}

static void every_history_cancelled_at_every_step(void **state)
{
    const struct all *all = *state;

    for (size_t i = 0; i < all->n; i++) {
        struct str rest = str_of(all->rows[i].script), word;
        for (size_t steps = 0; str_next(&rest, ' ', &word); steps++) {
            cancelled_after(&all->rows[i], steps, false);
            cancelled_after(&all->rows[i], steps, true);
        }
    }
}

static void set_up(void)
{
    struct err err = ERR_INIT;

    if (secret_init(&err) != ERR_OK || redactor_new(&world_host.redactor, &err) != ERR_OK ||
        keyring_parse(STR(KEY), &keys, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    world_host.keys = keys;
    log_setup(LOG_ERROR, LOG_TEXT, 2);
}

int world_run(const char *group, struct history *rows, size_t n, const struct CMUnitTest *others,
              size_t n_others)
{
    struct all all = {rows, n};
    const struct CMUnitTest every[] = {
        cmocka_unit_test_prestate(every_history_cut_at_every_step, &all),
        cmocka_unit_test_prestate(every_history_cancelled_at_every_step, &all)};
    int failed;

    set_up();
    failed = table_run(group, rows, n, sizeof(*rows), history) +
             cmocka_run_group_tests_name("at every step", every, NULL, NULL);
    if (n_others > 0)
        failed += _cmocka_run_group_tests("looked at closer", others, n_others, NULL, NULL);
    redactor_free(world_host.redactor);
    keyring_free(keys);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of who is asked: the ledger, the sandbox service, the store, and what is done in a
 * sandbox. */
#include <stdio.h>

#include "run_world.h"
#include "common/banned.h"

static void answer(ledger_fn *fn, void *ctx, bool held)
{
    struct err ok = ERR_INIT;
    ledger_fn f = *fn;
    assert_non_null(f);
    *fn = NULL;
    f(ctx, held, &ok);
}

static void boot_failed(enum err_code code)
{
    struct err e = {.code = code, .msg = "no"};
    w.answered = true;
    w.boot->failed(w.boot_ctx, &e);
}

static void call_answered(enum err_code code)
{
    struct err e = {.code = code, .msg = "no"};
    sandbox_fn fn = w.call;
    assert_non_null(fn);
    w.call = NULL;
    fn(w.call_ctx, &e);
}

/* What the ledger answers: one to be made; this run's own already; its session's; a warm one. */
static void placed(const char *sandbox, bool busy, const char *talk, bool warm)
{
    ledger_row_fn fn = w.placed;
    struct err ok = ERR_INIT;

    assert_non_null(fn);
    w.placed = NULL;
    w.place = (struct sandbox_place){.busy = busy, .warm = warm, .talk = w.talk};
    snprintf(w.place.key, sizeof(w.place.key), "key-%s", sandbox);
    snprintf(w.place.sandbox_id, sizeof(w.place.sandbox_id), "%s", sandbox);
    snprintf(w.place.claude_session, sizeof(w.place.claude_session), "%s", talk);
    fn(w.placed_ctx, (const PGresult *)&w, &ok);
}
static void v_new(void)
{
    placed("", false, "", false);
}
static void v_mine(void)
{
    placed("sb1", true, "", false);
}
static void v_kept(void)
{
    placed("sb1", true, TALK, false);
}
static void v_warm(void)
{
    placed("sb1", true, "", true);
}
/* Nothing of its session is left but a transcript… */
static void placed_far(const char *sandbox, bool busy, const char *transcript)
{
    snprintf(w.talk.claude_session, sizeof(w.talk.claude_session), "%s", TALK);
    snprintf(w.talk.transcript, sizeof(w.talk.transcript), "%s", transcript);
    snprintf(w.talk.sha256, sizeof(w.talk.sha256), "cafe");
    placed(sandbox, busy, "", false);
}
static void v_far(void)
{
    placed_far("", false, "transcripts/k");
}
/* …or not even that; or it is at work already. */
static void v_adrift(void)
{
    placed_far("", false, "");
}
static void v_minefar(void)
{
    placed_far("sb1", true, "transcripts/k");
}
static void carried(enum err_code code)
{
    struct buf text = BUF_INIT(64);
    struct err e = {.code = code, .msg = "no"};
    carry_fn fn = w.carried;

    assert_non_null(fn);
    w.carried = NULL;
    buf_adds(&text, "{}");
    fn(w.carried_ctx, &(struct carry_done){.text = &text, .bytes = 2, .sha256 = "cafe"}, &e);
    buf_release(&text);
}
static void v_carried(void)
{
    carried(ERR_OK);
}
static void v_nostore(void)
{
    carried(ERR_IO);
}
static void v_notthere(void)
{
    carried(ERR_NOT_FOUND);
}
static void v_usurped(void)
{
    ledger_row_fn fn = w.placed;
    struct err ok = ERR_INIT;
    assert_non_null(fn);
    w.placed = NULL;
    fn(w.placed_ctx, NULL, &ok);
}
static void room(const struct sandbox_figures *f)
{
    eviction_fn fn = w.room;
    assert_non_null(fn);
    w.room = NULL;
    fn(w.room_ctx, f);
}
static void v_room(void)
{
    room(&(struct sandbox_figures){.sandbox_id = "sb9", .state = "parked", .cost_usd = "0.25"});
}
static void v_noroom(void)
{
    room(NULL);
}
static void v_updated(void)
{
    void (*fn)(void *) = w.updated;
    assert_non_null(fn);
    w.updated = NULL;
    fn(w.updated_ctx);
}
static void filled(enum fill_end end, enum err_code code)
{
    struct err e = {.code = code, .msg = "git said canary-0123456789"};
    fill_fn fn = w.filled;
    assert_non_null(fn);
    w.filled = NULL;
    fn(w.filled_ctx, end, &e);
}
static void v_filled(void)
{
    filled(FILL_DONE, ERR_OK);
}
static void v_stored(void)
{
    w.collect->stored(w.collect_ctx, &(struct artifact){.name = "artifacts.tar.gz",
                                                        .bytes = 7,
                                                        .files = 2,
                                                        .sha256 = "ab",
                                                        .location = "file:///a"});
}
static void v_unstored(void)
{
    struct err e = {.code = ERR_IO, .msg = "it said canary-0123456789"};
    w.collect->failed(w.collect_ctx, "artifacts.tar.gz", &e);
}
static void v_collected(void)
{
    const struct collect_events *ev = w.collect;
    assert_non_null(ev);
    w.collect = NULL;
    ev->done(w.collect_ctx);
}
static void v_badtar(void)
{
    filled(FILL_REFUSED, ERR_INVALID);
}
static void v_nourl(void)
{
    filled(FILL_SOURCE, ERR_NOT_FOUND);
}
static void v_nobox(void)
{
    filled(FILL_SANDBOX, ERR_GONE);
}
static void v_ready(void)
{
    w.answered = true;
    w.boot->ready(w.boot_ctx, (struct sandbox *)(uintptr_t)"sb1");
}
static void v_gone(void)
{
    boot_failed(ERR_GONE);
}
static void v_full(void)
{
    boot_failed(ERR_CAPACITY);
}
static void v_away(void)
{
    boot_failed(ERR_UNAVAILABLE);
}
static void v_badkey(void)
{
    boot_failed(ERR_UNAUTHORIZED);
}
static void v_held(void)
{
    answer(&w.saved, w.saved_ctx, true);
}
static void v_lost(void)
{
    answer(&w.saved, w.saved_ctx, false);
}
static void v_holding(void)
{
    answer(&w.holding, w.holding_ctx, true);
}
static void v_nothold(void)
{
    answer(&w.holding, w.holding_ctx, false);
}
static void v_done(void)
{
    call_answered(ERR_OK);
}
static void v_declined(void)
{
    call_answered(ERR_INVALID);
}
static void v_broken(void)
{
    call_answered(ERR_UNAVAILABLE);
}

void world_tell_size(int64_t cpu_count, int64_t memory_mb)
{
    struct sandbox_info info = {.cpu_count = cpu_count, .memory_mb = memory_mb};
    struct err ok = ERR_INIT;
    sandbox_info_fn fn = w.info;

    w.info = NULL;
    fn(w.info_ctx, &info, &ok);
    world_turn();
}

const struct verb world_answers[] = {
    {"new", v_new},         {"mine", v_mine},         {"kept", v_kept},
    {"warm", v_warm},       {"far", v_far},           {"adrift", v_adrift},
    {"minefar", v_minefar}, {"usurped", v_usurped},   {"carried", v_carried},
    {"nostore", v_nostore}, {"notthere", v_notthere}, {"room", v_room},
    {"noroom", v_noroom},   {"updated", v_updated},   {"filled", v_filled},
    {"badtar", v_badtar},   {"nourl", v_nourl},       {"nobox", v_nobox},
    {"stored", v_stored},   {"unstored", v_unstored}, {"collected", v_collected},
    {"ready", v_ready},     {"gone", v_gone},         {"full", v_full},
    {"away", v_away},       {"badkey", v_badkey},     {"held", v_held},
    {"lost", v_lost},       {"holding", v_holding},   {"nothold", v_nothold},
    {"done", v_done},       {"declined", v_declined}, {"broken", v_broken},
    {NULL, NULL},
};

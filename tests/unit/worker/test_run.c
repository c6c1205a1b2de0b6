/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever happens, a run does its writes in the one order (claim, the sandbox's row,
 * sandbox, its id in the ledger, agent, lines acknowledged, verdict and cost in the ledger,
 * terminal acknowledged, sandbox killed), and one that is deposed does nothing more at all. Proof:
 * the run's own code in a scripted world: ledger, broker, sandboxes, agent and timers are stand-ins
 * here (the linker prefers them to the library's), each history is compared with its trace, and
 * every history is cut at every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/capture/capture.h"
#include "worker/run/claude_update.h"
#include "worker/sandbox/eviction.h"
#include "worker/artifact/collect.h"
#include "worker/workspace/fill.h"
#include "worker/run/run.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/session/carry.h"
#include "worker/session/session_row.h"
#include "common/banned.h"

#define ID    "0197a0b4-0000-7000-8000-000000000001"
#define TALK  "0197a0b4-0000-4000-8000-0000000000aa"
#define PLAIN "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\"}"

/* --- the world --------------------------------------------------------------- */

struct timer {
    loop_fn fn;
    void *ctx;
};

static struct {
    struct run *run;
    struct buf trace;
    bool may_publish, gone, blocked;
    ledger_fn saved, started; /* answers that are owed */
    ledger_row_fn placed;
    void *saved_ctx, *started_ctx, *placed_ctx;
    struct sandbox_place place; /* what the ledger says when it is asked */
    struct sandbox_talk talk;
    eviction_fn room;
    void *room_ctx;
    const struct collect_events *collect;
    void *collect_ctx;
    fill_fn filled;
    void *filled_ctx;
    void (*updated)(void *ctx);
    void *updated_ctx;
    carry_fn carried; /* either way */
    void *carried_ctx;
    sandbox_info_fn info;
    void *info_ctx;
    const struct sandbox_events *boot;
    bool answered; /* the newest of its questions was */
    void *boot_ctx;
    sandbox_fn call; /* a kill or a change of ttl */
    void *call_ctx;
    const struct capture_events *agent;
    void *agent_ctx;
    void (*moved)(void *ctx);
    void *moved_ctx;
    bool interrupted; /* the agent was asked to end */
    int unacked;
    int64_t line, lines_sent;
    loop_fn deferred;
    void *deferred_ctx;
    char data[4096];  /* of the newest event */
    int64_t delay_ms; /* of the newest requeue */
    int64_t hold_ms;  /* of the credential */
    ledger_fn holding;
    void *holding_ctx;
    int64_t timer_ms; /* of the newest timer, and what it does */
    struct timer timer;
    int64_t later_ms; /* the clock is ahead by so much */
    int64_t ttl_ms;   /* of the newest change of a ttl */
} w;

static void note(const char *fmt, ...) PRINTF(1, 2);
static void note(const char *fmt, ...)
{
    va_list ap;
    if (w.trace.len > 0)
        buf_addc(&w.trace, ' ');
    va_start(ap, fmt);
    buf_vaddf(&w.trace, fmt, ap);
    va_end(ap);
}

enum err_code loop_defer(struct loop *l, loop_fn fn, void *ctx, struct err *err)
{
    (void)l, (void)err;
    assert_null(w.deferred);
    w.deferred = fn;
    w.deferred_ctx = ctx;
    return ERR_OK;
}

struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx)
{
    struct timer *t = calloc(1, sizeof(*t));
    (void)l;
    *t = (struct timer){fn, ctx};
    return t;
}

void timer_start(struct timer *t, int64_t delay_ms)
{
    w.timer = *t;
    w.timer_ms = delay_ms;
}

void timer_stop(struct timer *t)
{
    (void)t;
}

void timer_free(struct timer *t)
{
    free(t);
}

/* Everything waits by this clock, which "later" sets to the moment when the timer is due. */
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void)
{
    return __real_clock_boot_ms() + w.later_ms;
}

/* Only so that no connection, and with it the real loop, is linked. */
const char *pg_text(const PGresult *res, int row, int col)
{
    (void)res, (void)row, (void)col;
    return NULL;
}

int64_t pg_int(const PGresult *res, int row, int col)
{
    (void)res, (void)row, (void)col;
    return 0;
}

static struct ledger_op *owe(ledger_fn fn, void *ctx)
{
    assert_null(w.saved);
    w.saved = fn;
    w.saved_ctx = ctx;
    return (struct ledger_op *)&w.saved;
}

struct ledger_op *sandbox_row_place(struct ledger *l, struct ledger_run r, const char *template,
                                    const char *new_key, ledger_row_fn fn, void *ctx)
{
    (void)l, (void)r, (void)template;
    assert_string_equal(new_key, ID "-1");
    note("place");
    w.placed = fn;
    w.placed_ctx = ctx;
    return (struct ledger_op *)&w.placed;
}

void sandbox_row_place_read(const PGresult *res, struct sandbox_place *out)
{
    (void)res;
    *out = w.place;
}

struct ledger_op *sandbox_row_own(struct ledger *l, struct ledger_run r, const char *key,
                                  const char *sandbox_id, const struct sandbox_size *size,
                                  ledger_fn fn, void *ctx)
{
    (void)l, (void)r, (void)size;
    assert_string_equal(key, w.place.key);
    note("own:%s", sandbox_id);
    return owe(fn, ctx);
}

struct ledger_op *sandbox_row_give_up(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    note("give-up:%s", key);
    return owe(fn, ctx);
}

struct ledger_op *sandbox_row_freed(struct ledger *l, const char *key, ledger_fn fn, void *ctx)
{
    (void)l, (void)key;
    note("freed");
    return owe(fn, ctx);
}

enum err_code eviction_start(struct ledger *l, struct sandbox_service *s, eviction_fn fn, void *ctx,
                             struct eviction **out, struct err *err)
{
    (void)l, (void)s, (void)err;
    *out = (struct eviction *)&w.room;
    note("evict");
    w.room = fn;
    w.room_ctx = ctx;
    return ERR_OK;
}

void eviction_free(struct eviction *v)
{
    assert_null(v);
}

bool claude_update_applies(bool policy_once, const char *template)
{
    return policy_once && strcmp(template, "claude") == 0;
}

/* The ledger's word on a session, and what carries a transcript. */
struct ledger_op *session_row_storing(struct ledger *l, struct ledger_run r, const char *key,
                                      ledger_fn fn, void *ctx)
{
    (void)l, (void)r, (void)key;
    note("storing");
    return owe(fn, ctx);
}

struct ledger_op *session_row_kept(struct ledger *l, struct ledger_run r,
                                   const struct session_end *e, ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    assert_string_equal(e->claude_session, TALK);
    note("session:%s", e->transcript ? "stored" : "not-stored");
    return owe(fn, ctx);
}

static enum err_code carry(const char *what, carry_fn fn, void *ctx, struct carry **out)
{
    note("%s", what);
    w.carried = fn;
    w.carried_ctx = ctx;
    *out = (struct carry *)(uintptr_t)&w.carried;
    return ERR_OK;
}

enum err_code carry_out(const struct carry_store *s, const struct carry_from *from, const char *key,
                        carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    (void)s, (void)key, (void)err;
    assert_string_equal(from->claude_session, TALK);
    return carry("carry-out", fn, ctx, out);
}

enum err_code carry_in(const struct carry_store *s, const char *key, const char *sha256,
                       carry_fn fn, void *ctx, struct carry **out, struct err *err)
{
    (void)s, (void)err;
    assert_string_equal(key, "transcripts/k");
    assert_string_equal(sha256, "cafe");
    return carry("carry-in", fn, ctx, out);
}

void carry_free(struct carry *c)
{
    if (c)
        w.carried = NULL;
}

struct claude_update *claude_update_start(struct sandbox *sb, void (*done)(void *ctx), void *ctx)
{
    (void)sb;
    note("update");
    w.updated = done;
    w.updated_ctx = ctx;
    return (struct claude_update *)&w.updated;
}

void claude_update_free(struct claude_update *u)
{
    if (u)
        w.updated = NULL;
}

bool fill_applies(const struct run_request *r)
{
    return r->files;
}

enum err_code fill_start(const struct fetch_policy *policy, struct sandbox *sb,
                         const struct fill_want *want, fill_fn fn, void *ctx, struct fill **out,
                         struct err *err)
{
    (void)policy, (void)sb, (void)want, (void)err;
    note("fill");
    w.filled = fn;
    w.filled_ctx = ctx;
    *out = (struct fill *)&w.filled;
    return ERR_OK;
}

enum err_code collect_start(struct store *store, struct sandbox *sb,
                            const struct collect_want *want, const struct collect_events *ev,
                            void *ctx, struct collect **out, struct err *err)
{
    (void)store, (void)sb, (void)err;
    note("collect%s", want->output ? ":output" : "");
    w.collect = ev;
    w.collect_ctx = ctx;
    *out = (struct collect *)&w.collect;
    return ERR_OK;
}

void collect_free(struct collect *c)
{
    if (c)
        w.collect = NULL;
}

void fill_free(struct fill *f)
{
    if (f)
        w.filled = NULL;
}

struct ledger_op *ledger_set_started(struct ledger *l, struct ledger_run r, ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    note("mark:started");
    w.started = fn;
    w.started_ctx = ctx;
    return (struct ledger_op *)&w.started;
}

struct ledger_op *ledger_requeue(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                                 ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    note("requeue:%s,%d,%d%s", e->hold_reason, (int)e->failures, (int)e->uncounted,
         e->paused         ? ",paused"
         : e->park_session ? ",parked"
                           : "");
    w.delay_ms = e->delay_ms;
    return owe(fn, ctx);
}

struct ledger_op *ledger_hold_credential(struct ledger *l, const struct claim_credential *c,
                                         int64_t hold_ms, const char *reason, ledger_fn fn,
                                         void *ctx)
{
    (void)l;
    note("hold:%s,%s", c->name, reason);
    w.hold_ms = hold_ms;
    w.holding = fn;
    w.holding_ctx = ctx;
    return (struct ledger_op *)&w.holding;
}

enum err_code ledger_learn_windows(struct ledger *l, const struct claim_credential *c,
                                   const char *windows, struct err *err)
{
    (void)l, (void)err;
    note("learn:%s,%s", c->name, windows);
    return ERR_OK;
}

struct ledger_op *ledger_close(struct ledger *l, struct ledger_run r, const struct ledger_end *e,
                               ledger_fn fn, void *ctx)
{
    (void)l, (void)r;
    note("close%s", e->paused ? ":paused" : e->park_session ? ":parked" : "");
    return owe(fn, ctx);
}

struct ledger_op *ledger_set_published(struct ledger *l, struct ledger_run r, ledger_fn fn,
                                       void *ctx)
{
    (void)l, (void)r;
    note("mark:published");
    return owe(fn, ctx);
}

void ledger_cancel(struct ledger_op *op)
{
    if (op == (struct ledger_op *)&w.saved)
        w.saved = NULL;
    if (op == (struct ledger_op *)&w.started)
        w.started = NULL;
    if (op == (struct ledger_op *)&w.holding)
        w.holding = NULL;
    if (op == (struct ledger_op *)&w.placed)
        w.placed = NULL;
}

struct publish_log *publish_log_new(struct publish_hub *h, const struct event_run *run,
                                    void (*moved)(void *ctx), void *ctx)
{
    (void)h, (void)run;
    w.moved = moved;
    w.moved_ctx = ctx;
    return (struct publish_log *)&w.moved;
}

void publish_log_free(struct publish_log *log)
{
    (void)log;
    w.moved = NULL;
}

enum err_code publish_event(struct publish_log *log, const struct event *e, struct err *err)
{
    (void)log, (void)err;
    if (event_is_line(e->type))
        note("line:%d", (int)e->n);
    else
        note("say:%s", event_type_name(e->type) + sizeof("sandfleet.") - 1);
    snprintf(w.data, sizeof(w.data), STR_FMT, STR_ARG(e->data));
    w.unacked++;
    return ERR_OK;
}

struct publish_position publish_log_position(const struct publish_log *log)
{
    (void)log;
    return (struct publish_position){0};
}

bool publish_log_idle(const struct publish_log *log)
{
    (void)log;
    return w.unacked == 0;
}

bool publish_log_blocked(const struct publish_log *log)
{
    (void)log;
    return w.blocked;
}

size_t publish_log_unacked(const struct publish_log *log)
{
    (void)log;
    return 0;
}

enum err_code sandbox_create(struct sandbox_service *s, const struct sandbox_want *want,
                             const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                             struct err *err)
{
    (void)s, (void)out, (void)err;
    note("create:%d", (int)want->attempt);
    w.answered = false;
    w.boot = ev;
    w.boot_ctx = ctx;
    return ERR_OK;
}

bool sandbox_service_is_down(const struct sandbox_service *s)
{
    (void)s;
    return false;
}

enum err_code sandbox_open(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                           const struct sandbox_events *ev, void *ctx, struct sandbox_op **out,
                           struct err *err)
{
    (void)s, (void)ttl_ms, (void)out, (void)err;
    note("open:%s", id);
    w.answered = false;
    w.boot = ev;
    w.boot_ctx = ctx;
    return ERR_OK;
}

static enum err_code call(sandbox_fn fn, void *ctx)
{
    assert_null(w.call);
    w.call = fn;
    w.call_ctx = ctx;
    return ERR_OK;
}

enum err_code sandbox_set_ttl(struct sandbox_service *s, const char *id, int64_t ttl_ms,
                              sandbox_fn fn, void *ctx, struct err *err)
{
    (void)s, (void)err;
    w.ttl_ms = ttl_ms;
    note("park:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_set_network(struct sandbox_service *s, const char *id, const char *network,
                                  sandbox_fn fn, void *ctx, struct err *err)
{
    (void)s, (void)err;
    bool off = strcmp(network, "{}") == 0;
    if (!off)
        assert_string_equal(network,
                            "{\"rules\":{\"api.anthropic.com\":[{\"transform\":{\"headers\":{"
                            "\"Authorization\":\"Bearer canary-0123456789\"}}}]}}");
    note("rules:%s,%s", id, off ? "off" : "on");
    return call(fn, ctx);
}

enum err_code sandbox_kill(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                           struct err *err)
{
    (void)s, (void)err;
    note("kill:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_pause(struct sandbox_service *s, const char *id, sandbox_fn fn, void *ctx,
                            struct err *err)
{
    (void)s, (void)err;
    note("pause:%s", id);
    return call(fn, ctx);
}

enum err_code sandbox_get(struct sandbox_service *s, const char *id, sandbox_info_fn fn, void *ctx,
                          struct err *err)
{
    (void)s, (void)id, (void)err;
    w.info = fn;
    w.info_ctx = ctx;
    return ERR_OK;
}

const char *sandbox_id(const struct sandbox *sb)
{
    return (const char *)sb;
}

void sandbox_free(struct sandbox *sb)
{
    (void)sb;
}

enum err_code capture_start(struct sandbox *sb, const struct capture_spec *spec,
                            const struct capture_events *ev, void *ctx, struct capture **out,
                            struct err *err)
{
    (void)sb, (void)err;
    bool again = false;
    for (size_t i = 0; spec->args[i]; i++)
        again = again || strcmp(spec->args[i], "--resume") == 0;
    note("agent%s%s%s%s", spec->resume ? ":look" : "", again ? ":resume" : "",
         spec->transcript.n > 0 ? ":transcript" : "", spec->proxied ? ":proxied" : "");
    if (spec->credential)
        assert_true(!spec->proxied && str_is(secret_value(spec->credential), "canary-0123456789"));
    else /* or it is only looked for, to be ended */
        assert_true(spec->proxied || !spec->credential_env || run_state(w.run) == RUN_CANCELLING);
    w.agent = ev;
    w.agent_ctx = ctx;
    w.line = 0;
    *out = (struct capture *)&w.agent;
    return ERR_OK;
}

void capture_pause(struct capture *c, bool paused)
{
    (void)c;
    note(paused ? "stop-reading" : "read-on");
}

void capture_cancel(struct capture *c, int64_t grace_ms)
{
    assert_non_null(c);
    assert_int_equal(grace_ms, 1300);
    note("interrupt");
    w.interrupted = true;
}

void capture_free(struct capture *c)
{
    if (c)
        w.agent = NULL;
}

/* --- scripts ----------------------------------------------------------------- */

static void say_line(const char *text)
{
    char copy[512];
    struct capture_line line = {.n = ++w.line, .end_offset = w.line * 100};

    snprintf(copy, sizeof(copy), "%s", text);
    line.mutable_text = copy;
    line.text = str_of(copy);
    line.true_bytes = (int64_t)line.text.n;
    w.agent->line(w.agent_ctx, &line);
}

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

static void agent_ended(int status)
{
    struct capture_end end = {.exit_status = status, .lines = w.line};
    w.agent->ended(w.agent_ctx, &end);
}

static void call_answered(enum err_code code)
{
    struct err e = {.code = code, .msg = "no"};
    sandbox_fn fn = w.call;
    assert_non_null(fn);
    w.call = NULL;
    fn(w.call_ctx, &e);
}

static const struct verb {
    const char *name;
    void (*act)(void);
} verbs[];

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
static void v_tick(void)
{
    assert_non_null(w.timer.fn);
    w.timer.fn(w.timer.ctx);
}
static void v_later(void)
{
    assert_in_range(w.timer_ms, 0, 3660000);
    w.later_ms += w.timer_ms;
    v_tick();
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
static void v_held(void)
{
    answer(&w.saved, w.saved_ctx, true);
}
static void v_lost(void)
{
    answer(&w.saved, w.saved_ctx, false);
}
static void v_started(void)
{
    w.agent->started(w.agent_ctx);
}
static void v_init(void)
{
    say_line("{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"" TALK
             "\",\"model\":\"m\"}");
}
static void v_text(void)
{
    say_line("plain");
}
static void v_result(void)
{
    say_line("{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"ok\","
             "\"session_id\":\"" TALK "\"}");
}
/* A usage limit that is said to last for hundreds of thousands of years. */
static void v_limit(void)
{
    say_line("{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","
             "\"resetsAt\":9007199254740991}}");
    say_line("{\"type\":\"result\",\"is_error\":true,\"api_error_status\":429}");
}
static void v_near(void)
{
    say_line("{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"allowed_warning\","
             "\"rateLimitType\":\"five_hour\",\"utilization\":0.93}}");
}
/* What the agent says when it is interrupted. */
static void v_int(void)
{
    say_line("{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
             "\"terminal_reason\":\"aborted_streaming\"}");
}
static void v_tool(void)
{
    say_line("{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\"}]}}");
    say_line("{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\"}]}}");
}
static void v_task(void)
{
    say_line("{\"type\":\"system\",\"subtype\":\"background_tasks_changed\",\"tasks\":[{}]}");
}
static void v_flood(void)
{
    struct capture_end end = {.exit_status = 143, .lines = w.line, .log_ceiling = true};
    w.agent->ended(w.agent_ctx, &end);
}
static void v_badtoken(void)
{
    say_line("{\"type\":\"result\",\"is_error\":true,\"api_error_status\":401}");
}
static void v_holding(void)
{
    answer(&w.holding, w.holding_ctx, true);
}
static void v_nothold(void)
{
    answer(&w.holding, w.holding_ctx, false);
}
static void v_exit0(void)
{
    agent_ended(0);
}
static void v_badkey(void)
{
    boot_failed(ERR_UNAUTHORIZED);
}
static void v_ack(void)
{
    w.unacked = 0;
    if (w.moved)
        w.moved(w.moved_ctx);
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
static void v_lapse(void)
{
    w.may_publish = false;
    run_lapse(w.run);
}
static void v_confirm(void)
{
    w.may_publish = true;
    run_confirm(w.run);
}

static void v_cancel(void)
{
    run_cancel(w.run, false, "ann");
}
static void v_force(void)
{
    run_cancel(w.run, true, NULL);
}
static void v_outrun(void)
{
    run_interrupt(w.run, "0197a0b4-0000-7000-8000-000000000002");
}
/* The interrupted turn's result, as Claude prints it. */
static void v_aborted(void)
{
    say_line(
        "{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,"
        "\"terminal_reason\":\"aborted_streaming\",\"session_id\":\"" TALK "\","
        "\"total_cost_usd\":0.25,\"model_usage_since_last_result\":{\"m\":{\"costUSD\":0.25}}}");
}
static void v_killed(void)
{
    agent_ended(137);
}
static void v_lostit(void)
{
    struct err e = {.code = ERR_INTERNAL, .msg = "no exit status"};
    w.agent->failed(w.agent_ctx, &e);
}

static const struct verb verbs[] = {
    {"cancel", v_cancel},       {"force", v_force},       {"aborted", v_aborted},
    {"killed", v_killed},       {"lostit", v_lostit},     {"ready", v_ready},
    {"gone", v_gone},           {"full", v_full},         {"away", v_away},
    {"held", v_held},           {"lost", v_lost},         {"started", v_started},
    {"init", v_init},           {"text", v_text},         {"result", v_result},
    {"exit0", v_exit0},         {"ack", v_ack},           {"done", v_done},
    {"broken", v_broken},       {"lapse", v_lapse},       {"confirm", v_confirm},
    {"limit", v_limit},         {"near", v_near},         {"new", v_new},
    {"mine", v_mine},           {"kept", v_kept},         {"warm", v_warm},
    {"room", v_room},           {"noroom", v_noroom},     {"tick", v_tick},
    {"updated", v_updated},     {"usurped", v_usurped},   {"badkey", v_badkey},
    {"later", v_later},         {"int", v_int},           {"tool", v_tool},
    {"task", v_task},           {"far", v_far},           {"adrift", v_adrift},
    {"minefar", v_minefar},     {"carried", v_carried},   {"nostore", v_nostore},
    {"notthere", v_notthere},   {"badtoken", v_badtoken}, {"holding", v_holding},
    {"nothold", v_nothold},     {"stored", v_stored},     {"unstored", v_unstored},
    {"collected", v_collected}, {"filled", v_filled},     {"badtar", v_badtar},
    {"nourl", v_nourl},         {"nobox", v_nobox},       {"flood", v_flood},
    {"outrun", v_outrun},       {"declined", v_declined},
};

static void turn(void)
{
    loop_fn fn = w.deferred;
    w.deferred = NULL;
    if (fn)
        fn(w.deferred_ctx);
}

static void act(struct str word)
{
    for (size_t i = 0; i < COUNTOF(verbs); i++)
        if (str_is(word, verbs[i].name)) {
            verbs[i].act();
            turn();
            return;
        }
    fail_msg("no verb is called '" STR_FMT "'", STR_ARG(word));
}

/* --- one history ------------------------------------------------------------- */

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
    note("refused");
    run_release(w.run);
}

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
static struct keyring *keys;
static struct run_proxy proxy;
static struct sandbox_sizes sizes;
static struct run_host host = {.worker_id = "w1",
                               .life = {.ledger_id = "l1", .sizes = &sizes},
                               .may_publish = may_publish,
                               .refused = on_refused,
                               .streams = on_streams,
                               .gone = on_gone};

struct row {
    const char *name, *request;
    bool pause, update, store; /* settings */
    struct run_times times;
    bool resumed, begun; /* taken over; its agent was started */
    bool unknown_credential, damaged_credential, kind_none, proxy, only, plain_http;
    int64_t failures, uncounted, takeovers, line;
    const char *script, *trace;
};

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
    assert_int_equal(credential_seal(host.keys, &what, plain, &c->sealed, &err), ERR_OK);
    secret_free(plain);
    return c;
}

static void begin(const struct row *row)
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
    host.base_url = row->plain_http ? "http://gateway.example" : NULL;
    host.proxy = row->proxy || row->only ? &proxy : NULL;
    host.life.park_ms = 1800000;
    host.life.cancel_ms = 1300;
    host.life.pause = row->pause;
    host.life.update_claude = row->update;
    host.times = row->times;
    host.store = row->store ? (struct store *)(uintptr_t)&w : NULL;
    if (run_new(&host, &claim, row->resumed, &w.run, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    run_start(w.run);
    turn();
}

static void end(void)
{
    run_free(w.run);
    buf_release(&w.trace);
}

#define SESSION "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"session\":{\"id\":\"s\"}}"
#define FILES                                                                                      \
    "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"files\":[{\"path\":\"a\",\"content\":\"\"}" \
    "]}"
#define GLOBS      "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"artifacts\":{\"globs\":[\"a\"]}}"
#define TO_AGENT   "new ready held started "
#define T_MAKE     "say:attempt.starting place create:1 own:sb1 "
#define T_TO_AGENT T_MAKE "say:sandbox.created agent mark:started say:attempt.started "

#define POOLED  "{\"v\":1,\"run_id\":\"" ID "\",\"prompt\":\"x\",\"credential\":\"team\"}"
#define WATCHED .times = {.watchdog = {100000, 50000, 10000}}

static struct row rows[] = {
    {"a run that works", .script = TO_AGENT "init result exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"a refused key is no run's fault", .script = "new badkey",
     .trace = "say:attempt.starting place create:1 refused"},
    {"nothing is said before its acknowledgements", .script = TO_AGENT "init result exit0",
     .trace = T_TO_AGENT "line:1 line:2"},
    {"no result: another attempt, counted", .script = TO_AGENT "text exit0 ack ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"no result, for the last time", .failures = 2,
     .script = TO_AGENT "text exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.failed "
                         "mark:published kill:sb1 freed"},
    {"no room and nobody to make it: held, not counted", .script = "new full noroom ack ack held",
     .trace = "say:attempt.starting place create:1 evict say:attempt.ended say:run.held "
              "requeue:sandbox_capacity,0,0"},
    {"no room: an idle sandbox makes it", .script = "new full room ready held started",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 own:sb1 "
              "say:sandbox.created agent mark:started say:attempt.started"},
    {"room that is not counted yet is waited for", .script = "new full room full tick ready held",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 create:1 "
              "own:sb1 say:sandbox.created agent"},
    {"not all idle sandboxes of the fleet for one run",
     .script = "new full room full tick full tick full tick full tick full tick full room "
               "full tick full tick full tick full tick full tick full room "
               "full tick full tick full tick full tick full tick full ack ack held",
     .trace = "say:attempt.starting place create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 evict say:sandbox.evicted create:1 create:1 "
              "create:1 create:1 create:1 create:1 say:attempt.ended say:run.held "
              "requeue:sandbox_capacity,0,0"},
    {"the service is away: held, not counted", .script = "new away ack ack held",
     .trace = "say:attempt.starting place create:1 say:attempt.ended say:run.held "
              "requeue:sandbox_service_down,0,0"},
    {"away while an agent is at work: knock again", .resumed = true, .begun = true,
     .script = "mine away", .trace = "say:run.resumed place open:sb1"},
    {"a kill that fails is left to the janitor",
     .script = TO_AGENT "init result exit0 ack ack held ack held broken",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1"},
    {"a credential that never enters the sandbox", .proxy = true,
     .script = "new ready held done started init result exit0 ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started line:1 line:2 say:attempt.ended say:sandbox.ended close "
                     "say:run.completed mark:published kill:sb1 freed"},
    {"the service adds nothing: by descriptor", .proxy = true,
     .script = "new ready held declined started",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent mark:started say:attempt.started"},
    {"nothing else is allowed, and the service adds nothing: it waits, and somebody is told",
     .only = true, .script = "new ready held declined ack ack holding held done",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:credential.held "
                     "hold:default,credential_not_proxied say:attempt.ended say:run.held "
                     "say:sandbox.ended requeue:credential_not_proxied,0,0 kill:sb1 freed"},
    {"nothing else is allowed, and the service adds it", .only = true,
     .script = "new ready held done started",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started"},
    {"what goes by plain HTTP goes by descriptor…", .proxy = true, .plain_http = true,
     .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"…or waits, without a sandbox", .only = true, .plain_http = true, .script = "ack holding held",
     .trace = "say:credential.held hold:default,credential_not_proxied say:run.held "
              "requeue:credential_not_proxied,0,0"},
    {"…but is not ended when an agent has it already", .only = true, .plain_http = true,
     .resumed = true, .begun = true, .script = "mine ready held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look"},
    {"none needs no rules where nothing else is allowed", .only = true, .plain_http = true,
     .kind_none = true, .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"the service is away when it is to add it", .proxy = true,
     .script = "new ready held broken ack ack held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:attempt.ended say:run.retrying "
                     "say:sandbox.ended requeue:sandbox_failed,1,0 kill:sb1"},
    {"none needs no rules", .proxy = true, .kind_none = true, .script = "new ready held started",
     .trace = T_MAKE "say:sandbox.created agent mark:started say:attempt.started"},
    {"a session's sandbox keeps no rules", SESSION, .proxy = true,
     .script = "new ready held done started init result exit0 ack done ack held done held ack held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on agent:proxied mark:started "
                     "say:attempt.started line:1 line:2 rules:sb1,off say:attempt.ended "
                     "session:not-stored park:sb1 say:sandbox.parked close:parked "
                     "say:run.completed mark:published"},
    {"who takes over an agent at work asks for none", .proxy = true, .resumed = true, .begun = true,
     .script = "mine ready held started",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look:proxied"},
    {"cancelled while the rules are on their way", .proxy = true,
     .script = "new ready held cancel done ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on say:run.cancelling say:attempt.ended "
                     "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"lapsed while the rules are on their way", .proxy = true,
     .script = "new ready held lapse done confirm",
     .trace = T_MAKE "say:sandbox.created rules:sb1,on open:sb1"},
    {"a credential that does not open: no sandbox, and it is held", .damaged_credential = true,
     .script = "ack holding held ack held",
     .trace = "say:credential.held hold:default,credential_unreadable close say:run.failed "
              "mark:published"},
    {"the same of a pool: another one may do", POOLED, .damaged_credential = true,
     .script = "ack holding held",
     .trace = "say:credential.held hold:default,credential_unreadable say:run.retrying "
              "requeue:credential_unreadable,0,1"},
    {"no such credential: no sandbox", .unknown_credential = true, .script = "held ack held",
     .trace = "close say:run.failed mark:published"},
    {"a run that kills its workers ends", .resumed = true, .failures = 3, .begun = true,
     .script = "held ack held", .trace = "close say:run.failed mark:published"},
    {"B091 a run that kills its workers behind its start ends", .resumed = true, .takeovers = 20,
     .begun = true, .script = "held ack held", .trace = "close say:run.failed mark:published"},
    {"a run that waited often is none that kills its workers", .uncounted = 30,
     .script = "new ready", .trace = "say:attempt.starting place create:1 own:sb1"},
    {"taken over: same sandbox, no line twice", .resumed = true, .begun = true, .line = 1,
     .script = "mine ready held started init result exit0 ack ack held ack held done held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look line:2 say:attempt.ended "
              "say:sandbox.ended close say:run.completed mark:published kill:sb1 freed"},
    {"taken over: the sandbox is gone", .resumed = true, .begun = true, .line = 1,
     .script = "mine gone ack ack held done held",
     .trace = "say:run.resumed place open:sb1 say:sandbox.lost say:attempt.ended say:run.retrying "
              "requeue:sandbox_lost,1,0 kill:sb1 freed"},
    {"taken over before the sandbox was known", .resumed = true, .script = "new ready held started",
     .trace = "say:run.resumed place create:1 own:sb1 say:sandbox.created agent:look mark:started "
              "say:attempt.started"},
    {"a warm sandbox is as good as a new one, and quicker",
     .script = "warm ready held started init result exit0 ack ack held ack held done held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent mark:started say:attempt.started "
              "line:1 line:2 say:attempt.ended say:sandbox.ended close say:run.completed "
              "mark:published kill:sb1 freed"},
    {"a warm sandbox that is gone costs no attempt", .script = "warm gone held new ready held",
     .trace = "say:attempt.starting place open:sb1 say:sandbox.lost give-up:key-sb1 place "
              "create:1 own:sb1 say:sandbox.created agent"},
    {"claude is updated in a new sandbox, before the agent", .update = true,
     .script = "new ready held updated", .trace = T_MAKE "update say:sandbox.created agent"},
    {"and in no other", .update = true, .script = "warm ready held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent"},
    {"an update under way when the lease lapses is nobody's", .update = true,
     .script = "new ready held lapse confirm ready held",
     .trace = T_MAKE "update open:sb1 own:sb1 agent"},
    {"what the agent left is stored before its sandbox goes", GLOBS,
     .script = TO_AGENT "init result exit0 stored collected ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:artifact.stored say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published kill:sb1 freed"},
    {"an artifact that cannot be stored changes no verdict", GLOBS,
     .script = TO_AGENT "init result exit0 unstored collected ack ack held ack",
     .trace = T_TO_AGENT "line:1 line:2 collect say:run.warning say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published"},
    {"what was under way when the lease lapsed is stored again", GLOBS,
     .script = TO_AGENT "init result exit0 stored lapse confirm ready held started init result "
                        "exit0 stored collected ack ack held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:artifact.stored open:sb1 own:sb1 agent:look "
                         "collect say:artifact.stored say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"an agent that did not end leaves nothing", GLOBS, .script = "new gone ack ack held",
     .trace = "say:attempt.starting place create:1 say:attempt.ended say:run.retrying "
              "requeue:sandbox_lost,1,0"},
    {"files are there before the agent", FILES, .script = "new ready held filled",
     .trace = T_MAKE "say:sandbox.created fill agent"},
    {"files that do not fit end the run, without an agent", FILES,
     .script = "new ready held badtar ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created fill say:attempt.ended say:sandbox.ended close "
                     "say:run.failed mark:published kill:sb1 freed"},
    {"an archive that is not there may come: another attempt", FILES,
     .script = "new ready held nourl ack ack held",
     .trace = T_MAKE "say:sandbox.created fill say:attempt.ended say:run.retrying "
                     "say:sandbox.ended requeue:workspace_failed,1,0 kill:sb1"},
    {"a sandbox that is gone while it is filled", FILES, .script = "new ready held nobox ack ack",
     .trace = T_MAKE "say:sandbox.created fill say:sandbox.lost say:attempt.ended "
                     "say:run.retrying requeue:sandbox_lost,1,0"},
    {"a filling under way when the lease lapses is done again", FILES,
     .script = "new ready held lapse confirm ready held filled",
     .trace = T_MAKE "say:sandbox.created fill open:sb1 own:sb1 fill agent"},
    {"a session's first run parks", SESSION,
     .script = TO_AGENT "init result exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored park:sb1 say:sandbox.parked "
     "close:parked say:run.completed mark:published"},
    {"or pauses", SESSION, .pause = true,
     .script = TO_AGENT "init result exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored pause:sb1 say:sandbox.parked "
     "close:paused say:run.completed mark:published"},
    {"where nothing can be paused it is kept", SESSION, .pause = true,
     .script = TO_AGENT "init result exit0 ack ack held broken done held ack held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored pause:sb1 park:sb1 say:sandbox.parked "
     "close:parked say:run.completed mark:published"},
    {"a session goes on in its sandbox", SESSION,
     .script = "kept ready held started init result exit0 ack ack held done held ack held",
     .trace = "say:attempt.starting place open:sb1 own:sb1 agent:resume mark:started "
              "say:attempt.started line:1 line:2 say:attempt.ended session:not-stored park:sb1 "
              "say:sandbox.parked "
              "close:parked say:run.completed mark:published"},
    {"a session whose sandbox is gone goes on by its transcript", SESSION, .store = true,
     .script = "kept gone held far carried ready held started",
     .trace = "say:attempt.starting place open:sb1 say:sandbox.lost give-up:key-sb1 place carry-in "
              "create:1 own:sb1 say:sandbox.created agent:resume:transcript mark:started "
              "say:attempt.started"},
    {"a conversation survives the service's absence", SESSION, .script = "kept away ack ack held",
     .trace = "say:attempt.starting place open:sb1 say:attempt.ended say:run.held "
              "say:sandbox.parked requeue:sandbox_service_down,0,0,parked"},
    {"a session that cannot be parked is killed", SESSION,
     .script = TO_AGENT "init result exit0 ack ack held broken held ack held done held",
     .trace = T_TO_AGENT
     "line:1 line:2 say:attempt.ended session:not-stored park:sb1 say:sandbox.ended close "
     "say:run.completed mark:published kill:sb1 freed"},
    {"a session's failed attempt keeps the conversation", SESSION,
     .script = TO_AGENT "init exit0 ack ack held done held",
     .trace = T_TO_AGENT
     "line:1 say:attempt.ended say:run.retrying session:not-stored park:sb1 say:sandbox.parked "
     "requeue:no_result,1,0,parked"},
    {"a transcript is stored first, in the ledger second, and then the sandbox is parked", SESSION,
     .store = true,
     .script = TO_AGENT "init result exit0 ack ack held carried held done held ack held",
     .trace =
         T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out session:stored park:sb1 "
                    "say:sandbox.parked close:parked say:run.completed mark:published"},
    {"one that cannot be stored is said so, and the run goes on", SESSION, .store = true,
     .script = TO_AGENT "init result exit0 ack ack held nostore held done held ack held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out say:run.warning "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.completed mark:published"},
    {"a failed attempt's is stored, too", SESSION, .store = true,
     .script = TO_AGENT "init exit0 ack ack held carried held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying storing carry-out "
                         "session:stored park:sb1 say:sandbox.parked requeue:no_result,1,0,parked"},
    {"nothing was said: nothing is stored", SESSION, .store = true,
     .script = TO_AGENT "text exit0 ack ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"deposed while it is stored: the next owner does it again", SESSION, .store = true,
     .script = TO_AGENT "init result exit0 ack ack held carried lost",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended storing carry-out session:stored"},
    {"a session of which nothing is left is lost, without a sandbox", SESSION, .store = true,
     .script = "adrift ack ack held ack held",
     .trace = "say:attempt.starting place say:attempt.ended close say:run.failed mark:published"},
    {"as is one whose transcript is not there", SESSION, .store = true,
     .script = "far notthere ack ack held ack held",
     .trace = "say:attempt.starting place carry-in say:attempt.ended close say:run.failed "
              "mark:published"},
    {"a store that does not answer is no loss", SESSION, .store = true,
     .script = "far nostore ack ack held",
     .trace = "say:attempt.starting place carry-in say:attempt.ended say:run.retrying "
              "requeue:internal,1,0"},
    {"an agent at work has its conversation", SESSION, .store = true, .resumed = true,
     .begun = true, .script = "minefar ready held",
     .trace = "say:run.resumed place open:sb1 own:sb1 agent:look:resume"},
    {"a lapse: read again, publish what is new",
     .script = TO_AGENT "init lapse confirm ready held started init result exit0 ack ack held ack "
                        "held done held",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 agent:look line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.completed mark:published kill:sb1 "
                         "freed"},
    {"a lapse while settling: says nothing until it is over",
     .script = TO_AGENT "init result exit0 lapse ack confirm ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"a lapse behind the report: the sandbox may be another's",
     .script = TO_AGENT "text exit0 ack lapse ack",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying"},
    {"a lapse behind the report that is over",
     .script = TO_AGENT "text exit0 ack lapse ack confirm held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"cancelled while its place is looked for: no sandbox is asked for",
     .script = "cancel new ack ack held ack held",
     .trace = "say:attempt.starting place say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published"},
    {"cancelled while the sandbox is made: it does not outlive the run",
     .script = "new cancel ack ack held ack held ready done held",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published kill:sb1 freed"},
    {"and the making fails", .script = "new cancel ack ack held ack held away",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published"},
    {"cancelled while room is made: no sandbox is asked for any more",
     .script = "new full cancel room ack ack held ack held",
     .trace = "say:attempt.starting place create:1 evict say:run.cancelling say:attempt.ended "
              "close say:run.cancelled mark:published"},
    {"cancelled while the sandbox's id is written",
     .script = "new ready cancel held ack ack held ack held done held",
     .trace = T_MAKE "say:run.cancelling say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while claude is updated", .update = true,
     .script = "new ready held cancel ack ack held ack held done held",
     .trace = T_MAKE "update say:run.cancelling say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while the agent starts: it may have",
     .script = "new ready held cancel killed ack ack held ack held done held",
     .trace = T_MAKE "say:sandbox.created agent say:run.cancelling interrupt "
                     "say:attempt.ended say:sandbox.ended close "
                     "say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled at work: its last words count",
     .script = TO_AGENT "init cancel aborted exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled, it ends so, whatever it still says",
     .script = TO_AGENT "init cancel result exit0 ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"cancelled while what it left is stored: nobody waits for that", GLOBS,
     .script = TO_AGENT "init result exit0 cancel ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 collect say:run.cancelling say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled mark:published kill:sb1 freed"},
    {"several cancels are one",
     .script = TO_AGENT "init cancel cancel cancel aborted exit0 cancel ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "say:sandbox.ended close say:run.cancelled"},
    {"an agent without an end is one, too",
     .script = TO_AGENT "init cancel lostit ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force: the sandbox first",
     .script = TO_AGENT "init force done ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force, when asking did not help", .script = TO_AGENT "init cancel force done ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:run.cancelling kill:sb1 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"an agent that does not end in time loses its sandbox",
     .script = TO_AGENT "init cancel tick done ack ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt say:run.cancelling kill:sb1 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"a sandbox that cannot be killed now is killed later",
     .script = TO_AGENT "init force broken ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"by force while the sandbox is made", .resumed = true,
     .script = "new force ack ack held ack held ready done held",
     .trace = "say:run.resumed place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.cancelled mark:published kill:sb1 freed"},
    {"suspended and cancelled: heeded when the lease is ours again",
     .script = TO_AGENT "init lapse cancel confirm ready held init aborted exit0 ack ack held",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 say:run.cancelling agent:look interrupt line:2 "
                         "say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"lapsed while it ends: asked again",
     .script = TO_AGENT "init cancel lapse confirm ready held init aborted exit0 ack ack held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt open:sb1 own:sb1 "
     "say:run.cancelling agent:look interrupt line:2 say:attempt.ended say:sandbox.ended "
     "close say:run.cancelled"},
    {"taken over with its cancel: the agent is looked for", .resumed = true, .begun = true,
     .line = 1, .script = "cancel mine ready held init aborted exit0 ack ack held",
     .trace = "say:run.resumed place open:sb1 own:sb1 say:run.cancelling agent:look interrupt "
              "line:2 say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"a result that came before the cancel stands",
     .script = TO_AGENT "init result exit0 cancel ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed mark:published kill:sb1 freed"},
    {"a failure that came before it has no other attempt",
     .script = TO_AGENT "text exit0 cancel ack ack held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.cancelled"},
    {"behind the verdict it is for the waiting row",
     .script = TO_AGENT "text exit0 ack cancel ack held done held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0 kill:sb1 freed"},
    {"a session's cancelled turn keeps the conversation", SESSION,
     .script = TO_AGENT "init cancel aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt line:2 say:attempt.ended session:not-stored park:sb1 "
     "say:sandbox.parked close:parked say:run.cancelled mark:published"},
    {"a turn that is interrupted for the session's next run keeps it, too", SESSION,
     .script = TO_AGENT "init outrun aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.failed mark:published"},
    {"interrupted before its agent was there: nothing was said", SESSION,
     .script = "new outrun ack ack held ack held ready done held",
     .trace = "say:attempt.starting place create:1 say:run.cancelling say:attempt.ended close "
              "say:run.failed mark:published kill:sb1 freed"},
    {"somebody's cancel behind an interrupt is the one that counts", SESSION,
     .script = TO_AGENT "init outrun cancel aborted exit0 ack ack held done held ack held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling interrupt line:2 say:attempt.ended "
                         "session:not-stored park:sb1 say:sandbox.parked close:parked "
                         "say:run.cancelled mark:published"},
    {"not one that had to be killed", SESSION,
     .script = TO_AGENT "init cancel killed ack ack held held ack held done held",
     .trace = T_TO_AGENT
     "line:1 say:run.cancelling interrupt say:attempt.ended session:not-stored say:sandbox.ended "
     "close say:run.cancelled mark:published kill:sb1 freed"},
    {"nor one whose sandbox was killed: there is nothing to be carried out", SESSION, .store = true,
     .script = TO_AGENT "init force done ack ack held ack held done held",
     .trace = T_TO_AGENT "line:1 say:run.cancelling kill:sb1 say:attempt.ended say:sandbox.ended "
                         "close say:run.cancelled mark:published kill:sb1 freed"},
    {"a session's sandbox goes back as it was", SESSION,
     .script = "kept cancel ack ack held ack ready held",
     .trace = "say:attempt.starting place open:sb1 say:run.cancelling say:attempt.ended "
              "say:sandbox.parked close:parked say:run.cancelled mark:published"},
    {"deposed at the terminal", .script = TO_AGENT "init result exit0 ack ack lost",
     .trace = T_TO_AGENT "line:1 line:2 say:attempt.ended say:sandbox.ended close"},
    {"deposed at the verdict: the next owner has it to write",
     .script = TO_AGENT "text exit0 ack ack lost",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:no_result,1,0"},
    {"deposed at the sandbox's id", .script = "new ready lost",
     .trace = "say:attempt.starting place create:1 own:sb1"},
    {"an agent that falls silent is ended, and tried once more", WATCHED,
     .script = TO_AGENT "init later killed ack ack held done held",
     .trace = T_TO_AGENT "line:1 interrupt say:attempt.ended say:run.retrying say:sandbox.ended "
                         "requeue:stalled,2,0 kill:sb1 freed"},
    {"and no third time", WATCHED, .failures = 2,
     .script = TO_AGENT "init later killed ack ack held ack held done held",
     .trace =
         T_TO_AGENT "line:1 interrupt say:attempt.ended say:sandbox.ended close say:run.failed "
                    "mark:published kill:sb1 freed"},
    {"it is ended once", WATCHED, .script = TO_AGENT "init later later later",
     .trace = T_TO_AGENT "line:1 interrupt say:run.warning say:run.warning"},
    {"nothing comes behind a tool's result", WATCHED,
     .script = TO_AGENT "init tool later killed ack ack",
     .trace = T_TO_AGENT "line:1 line:2 line:3 interrupt say:attempt.ended say:run.retrying "
                         "say:sandbox.ended requeue:stalled,2,0"},
    {"what comes to an end while it is ended has ended", WATCHED,
     .script = TO_AGENT "init later result exit0 ack ack held",
     .trace = T_TO_AGENT "line:1 interrupt line:2 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"what is interrupted has not", WATCHED, .script = TO_AGENT "init later int exit0 ack ack",
     .trace = T_TO_AGENT "line:1 interrupt line:2 say:attempt.ended say:run.retrying "
                         "say:sandbox.ended requeue:stalled,2,0"},
    {"alive behind its result: the result counts", WATCHED,
     .script = TO_AGENT "init result later int killed ack ack held",
     .trace = T_TO_AGENT "line:1 line:2 interrupt line:3 say:attempt.ended say:sandbox.ended close "
                         "say:run.completed"},
    {"one with something in the background is waited for", WATCHED,
     .script = TO_AGENT "init task result later later",
     .trace = T_TO_AGENT "line:1 line:2 line:3 interrupt"},
    {"a lapse is no silence", WATCHED,
     .script = TO_AGENT "init lapse confirm ready held started init later",
     .trace = T_TO_AGENT "line:1 open:sb1 own:sb1 agent:look interrupt"},
    {"a run that is under way says so", .times = {.heartbeat_ms = 60000},
     .script = TO_AGENT "init later later",
     .trace = T_TO_AGENT "line:1 say:run.heartbeat say:run.heartbeat"},
    {"an agent that prints without end is ended, and not tried again",
     .script = TO_AGENT "init flood ack ack held",
     .trace = T_TO_AGENT "line:1 say:attempt.ended say:sandbox.ended close say:run.failed"},
    {"a limit that is told of is the credential's", .script = TO_AGENT "init near",
     .trace =
         T_TO_AGENT "line:1 line:2 learn:default,{\"five_hour\":{\"status\":\"allowed_warning\","
                    "\"utilization\":0.93}}"},
    {"and nobody's where there is none", .kind_none = true, .script = TO_AGENT "init near",
     .trace = T_TO_AGENT "line:1 line:2"},
    {"a limit holds the credential before the run can be taken again",
     .script = TO_AGENT "init limit exit0 ack ack holding held",
     .trace = T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                         "say:attempt.ended say:run.held say:sandbox.ended requeue:usage_limit,0,0 "
                         "kill:sb1"},
    {"and not before that is known", .script = TO_AGENT "init limit exit0 ack ack",
     .trace = T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                         "say:attempt.ended say:run.held"},
    {"known before all is acknowledged", .script = TO_AGENT "init limit exit0 ack holding ack",
     .trace =
         T_TO_AGENT "line:1 line:2 line:3 say:credential.held hold:default,usage_limit "
                    "say:attempt.ended say:run.held say:sandbox.ended requeue:usage_limit,0,0"},
    {"a refused token holds it, too, before the run ends",
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:sandbox.ended close"},
    {"another one of the pool goes on", POOLED,
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:run.retrying say:sandbox.ended requeue:auth,0,1"},
    {"a credential that the ledger does not know stops no run", POOLED,
     .script = TO_AGENT "init badtoken exit0 ack ack nothold",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:run.retrying say:sandbox.ended requeue:auth,0,1"},
    {"the last attempt's does so before the end", POOLED, .uncounted = 20, .failures = 2,
     .script = TO_AGENT "init badtoken exit0 ack ack holding",
     .trace = T_TO_AGENT "line:1 line:2 say:credential.held hold:default,auth say:attempt.ended "
                         "say:sandbox.ended close"},
    {"deposed at its place: nothing is asked for", .script = "usurped",
     .trace = "say:attempt.starting place"},
};

static void play(const struct row *row)
{
    struct str rest = str_of(row->script), word;

    begin(row);
    while (str_next(&rest, ' ', &word))
        act(word);
}

static void history(void **state)
{
    const struct row *row = *state;

    play(row);
    assert_string_equal(w.trace.p, row->trace);
    end();
}

static void no_secret_leaves_in_a_line(void **state)
{
    const struct row row = {.script = TO_AGENT "init"};

    (void)state;
    play(&row);
    say_line("{\"type\":\"user\",\"message\":\"TOKEN=canary-0123456789\"}");
    assert_null(strstr(w.data, "canary"));
    assert_non_null(strstr(w.data, "TOKEN=*****************"));
    assert_non_null(strstr(w.data, "\"masked\":1"));
    end();
}

static void an_end_names_its_artifacts(void **state)
{
    const struct row row = {.request = GLOBS,
                            .script = TO_AGENT "init result exit0 stored collected ack ack held"};
    const struct row bad = {.request = GLOBS, .script = TO_AGENT "init result exit0 unstored"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"artifacts\":[{\"name\":\"artifacts.tar.gz\",\"bytes\":7,"
                                   "\"sha256\":\"ab\",\"location\":\"file:///a\",\"files\":2}]"));
    end();
    play(&bad);
    assert_non_null(strstr(w.data, "\"reason\":\"artifact_not_stored\""));
    assert_null(strstr(w.data, "canary"));
    end();
}

/* Where events tell less than it printed, the whole of it is kept; nobody had to ask. */
static void a_long_line_keeps_the_output(void **state)
{
    const struct row row = {.script = TO_AGENT "init"};
    AUTO_BUF text = BUF_INIT(1 << 20);

    (void)state;
    host.artifacts = (struct store *)&w;
    play(&row);
    for (int i = 0; i < 160000; i++)
        buf_addc(&text, 'x');
    w.agent->line(w.agent_ctx, &(struct capture_line){.text = buf_str(&text),
                                                      .mutable_text = text.p,
                                                      .n = ++w.line,
                                                      .end_offset = 200000,
                                                      .true_bytes = (int64_t)text.len});
    v_result();
    v_exit0();
    assert_non_null(strstr(w.trace.p, "collect:output"));
    host.artifacts = NULL;
    end();
}

static void no_secret_leaves_in_a_reason(void **state)
{
    const struct row row = {.request = FILES, .script = "new ready held nourl ack"};

    (void)state;
    play(&row);
    assert_null(strstr(w.data, "canary"));
    assert_non_null(strstr(w.data, "git said ****"));
    end();
}

static void an_end_tells_cost_result_and_tail(void **state)
{
    const struct row row = {.script = TO_AGENT "init text result exit0 ack ack held"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"state\":\"completed\",\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"attempts\":1"));
    assert_non_null(strstr(w.data, "\"claude_session\":\"" TALK "\""));
    assert_non_null(strstr(w.data, "\"result\":\"ok\""));
    assert_non_null(strstr(w.data, "plain"));
    end();
}

static void waited(const char *script, int64_t least, int64_t most)
{
    const struct row row = {.script = script, WATCHED};

    play(&row);
    assert_in_range(w.later_ms, least, most);
    end();
}

/* By the run's own clock; the real one runs a little beside it. */
static void each_silence_has_its_length(void **state)
{
    (void)state;
    waited(TO_AGENT "init later", 95000, 100000);
    waited(TO_AGENT "init tool later", 45000, 50000);
    waited(TO_AGENT "init result later", 5000, 10000);
    waited(TO_AGENT "init task result later later", 695000, 700000);
}

static void an_end_by_the_watchdog_says_so(void **state)
{
    const struct row stuck = {.script = TO_AGENT "init later killed", WATCHED};
    const struct row done = {.script = TO_AGENT "init result later int killed ack ack held",
                             WATCHED};

    (void)state;
    play(&stuck);
    act(STR("ack"));
    assert_non_null(strstr(w.trace.p, "say:attempt.ended say:run.retrying"));
    assert_non_null(strstr(w.data, "\"outcome\":\"stalled\",\"reason\":\"silence\""));
    end();
    play(&done);
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"result\":\"ok\""));
    assert_null(strstr(w.data, "synthetic"));
    end();
}

/* Its claim and its agent are kept; only the stream goes, and comes back. */
static void the_stream_goes_while_kafka_does_not_keep_up(void **state)
{
    const struct row row = {.script = TO_AGENT "init"};

    (void)state;
    play(&row);
    buf_clear(&w.trace);
    w.blocked = true;
    run_flow_changed(w.run);
    run_flow_changed(w.run);
    assert_string_equal(w.trace.p, "stop-reading");
    w.blocked = false;
    run_flow_changed(w.run);
    assert_string_equal(w.trace.p, "stop-reading read-on");
    end();
}

static void an_end_without_a_result_is_synthetic(void **state)
{
    const struct row row = {.script = TO_AGENT "init exit0 ack ack held", .failures = 2};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"outcome\":\"no_result\""));
    assert_non_null(strstr(w.data, "\"synthetic\":true"));
    end();
}

static void tell_size(int64_t cpu_count, int64_t memory_mb);

/* What earlier turns and the sandbox cost is in it; what the turn under way costs is not known. */
static void a_warning_tells_the_cost_so_far(void **state)
{
    const struct row row = {.script = "new ready held started init"};

    (void)state;
    sizes = (struct sandbox_sizes){.rates = {0.05, 0.02}};
    play(&row);
    tell_size(2, 1024);
    say_line("{\"type\":\"result\",\"is_error\":false,\"model_usage_since_last_result\":"
             "{\"m\":{\"costUSD\":0.25}}}");
    act(STR("init"));
    act(STR("later"));
    assert_string_equal(w.trace.p + w.trace.len - strlen("say:run.warning"), "say:run.warning");
    assert_non_null(
        strstr(w.data, "{\"elapsed_s\":1800,\"cost_usd\":0.25,\"sandbox_cost_usd\":0.06"));
    assert_non_null(strstr(w.data, "\"turn_open\":true"));
    act(STR("later"));
    assert_non_null(strstr(w.data, "\"elapsed_s\":3000"));
    sizes = (struct sandbox_sizes){0};
    end();
}

static void a_heartbeat_tells_how_far_it_is(void **state)
{
    const struct row row = {.script = TO_AGENT "init text later", .times = {.heartbeat_ms = 60000}};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "{\"elapsed_ms\":60"));
    assert_non_null(strstr(w.data, ",\"idle_ms\":60"));
    assert_non_null(strstr(w.data, ",\"lines\":2,\"bytes\":200,\"cost_usd\":0,"));
    assert_non_null(strstr(w.data, ",\"turn_open\":true}"));
    end();
}

/* Whoever says that an attempt began says what it was given; else whoever says that it ended. */
static void who_interrupted_a_run_is_told(void **state)
{
    const struct row row = {.request = SESSION, .script = TO_AGENT "init outrun"};
    const struct row end_of = {
        .request = SESSION, .script = TO_AGENT "init outrun aborted exit0 ack ack held done held"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"interrupted_by\":\"0197a0b4-0000-7000-8000-000000000002\""));
    end();
    play(&end_of);
    assert_non_null(strstr(w.data, "\"state\":\"failed\",\"outcome\":\"interrupted\""));
    assert_non_null(strstr(w.data, "\"reason\":\"by run 0197a0b4-0000-7000-8000-000000000002\""));
    end();
}

static void what_an_attempt_was_given_is_told_once(void **state)
{
    const struct row row = {.script = "new ready held started"};
    const struct row taken = {.resumed = true, .begun = true, .script = "mine ready held started"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"sandbox_origin\":\"new\",\"template\":\"claude\""));
    assert_non_null(strstr(w.data, "\"prompt_hash\":\""));
    act(STR("result"));
    act(STR("exit0"));
    act(STR("ack"));
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_null(strstr(w.data, "_hash"));
    end();
    play(&taken);
    act(STR("result"));
    act(STR("exit0"));
    act(STR("ack"));
    assert_non_null(strstr(w.data, "\"outcome\":\"success\""));
    assert_non_null(strstr(w.data, "\"prompt_hash\":\""));
    end();
}

/* An agent that is not logged in, because it was given nothing: no credential is at fault. */
static void none_is_not_held(void **state)
{
    const struct row row = {.kind_none = true, .script = TO_AGENT "init badtoken exit0 ack ack"};

    (void)state;
    play(&row);
    assert_null(strstr(w.trace.p, "hold:"));
    assert_non_null(strstr(w.trace.p, "say:attempt.ended say:sandbox.ended close"));
    end();
}

static void no_hold_is_longer_than_a_limit_lasts(void **state)
{
    const struct row row = {.script = TO_AGENT "limit exit0 ack ack holding"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.trace.p, "requeue:usage_limit,0,0"));
    assert_in_range(w.delay_ms, 1, (int64_t)9 * 86400 * 1000);
    assert_in_range(w.hold_ms, (int64_t)7 * 86400 * 1000, (int64_t)8 * 86400 * 1000);
    end();
}

static void a_wait_that_was_asked_for_is_kept(void **state)
{
    const struct row row = {.resumed = true, .begun = true, .script = "mine away"};
    struct err e = {.code = ERR_THROTTLED, .retry_ms = 45000, .msg = "slow down"};

    (void)state;
    play(&row);
    w.boot->failed(w.boot_ctx, &e);
    assert_in_range(w.timer_ms, 45000, 60000);
    end();
}

static void tell_size(int64_t cpu_count, int64_t memory_mb)
{
    struct sandbox_info info = {.cpu_count = cpu_count, .memory_mb = memory_mb};
    struct err ok = ERR_INIT;
    sandbox_info_fn fn = w.info;

    w.info = NULL;
    fn(w.info_ctx, &info, &ok);
    turn();
}

/* Answers what is still owed: none of it may do anything any more. */
static void let_all_come_back(void)
{
    assert_null(w.saved);
    assert_null(w.placed);
    assert_null(w.holding);
    assert_null(w.carried);
    if (w.room)
        v_room();
    if (w.info)
        tell_size(2, 512);
    if (w.call)
        call_answered(ERR_OK);
    else if (w.run && w.boot)
        v_ready();
    turn();
}

static void deposed_after(const struct row *row, size_t steps)
{
    struct str rest = str_of(row->script), word;

    begin(row);
    for (size_t i = 0; i < steps && str_next(&rest, ' ', &word); i++)
        act(word);
    if (w.run) {
        size_t before = w.trace.len;
        run_depose(w.run);
        turn();
        let_all_come_back();
        if (w.trace.len != before)
            fail_msg("%s, deposed after %zu steps: %s", row->name, steps, w.trace.p + before);
        assert_true(w.gone);
    }
    end();
}

/* Answers whatever is owed, one by one, until the run has ended. */
static void answer_something(void)
{
    if (w.placed)
        v_new();
    else if (w.saved)
        v_held();
    else if (w.carried)
        v_carried();
    else if (w.holding)
        v_holding();
    else if (w.collect && w.may_publish)
        v_collected();
    else if (w.call)
        v_done();
    else if (w.room)
        v_noroom();
    else if (w.info)
        tell_size(2, 512);
    else if (w.unacked > 0)
        v_ack();
    else if (w.agent && w.interrupted)
        v_killed();
    else if (w.boot && !w.answered)
        v_ready();
    else if (!w.may_publish)
        v_confirm();
    turn();
}

static void finish(const struct row *row, size_t steps)
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
static void cancelled_after(const struct row *row, size_t steps, bool force)
{
    struct str rest = str_of(row->script), word;

    begin(row);
    for (size_t i = 0; i < steps && str_next(&rest, ' ', &word); i++)
        act(word);
    if (!w.run) {
        end();
        return;
    }
    size_t before = w.trace.len;
    if (force)
        v_force();
    else
        v_cancel();
    turn();
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
    end();
}

static void every_history_cancelled_at_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str rest = str_of(rows[i].script), word;
        for (size_t steps = 0; str_next(&rest, ' ', &word); steps++) {
            cancelled_after(&rows[i], steps, false);
            cancelled_after(&rows[i], steps, true);
        }
    }
}

static void a_cancelled_run_tells_who_asked_and_what_it_cost(void **state)
{
    const struct row row = {.script = TO_AGENT "init cancel aborted exit0 ack ack held"};

    (void)state;
    play(&row);
    assert_non_null(strstr(w.data, "\"state\":\"cancelled\",\"outcome\":\"cancelled\""));
    assert_non_null(strstr(w.data, "\"reason\":\"by ann\""));
    assert_non_null(strstr(w.data, "\"cost_usd\":0.25"));
    end();
}

static void every_history_cut_at_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str rest = str_of(rows[i].script), word;
        for (size_t steps = 0; str_next(&rest, ' ', &word); steps++)
            deposed_after(&rows[i], steps);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(every_history_cut_at_every_step),
        cmocka_unit_test(every_history_cancelled_at_every_step),
        cmocka_unit_test(a_cancelled_run_tells_who_asked_and_what_it_cost),
        cmocka_unit_test(no_secret_leaves_in_a_line),
        cmocka_unit_test(no_secret_leaves_in_a_reason),
        cmocka_unit_test(an_end_names_its_artifacts),
        cmocka_unit_test(a_long_line_keeps_the_output),
        cmocka_unit_test(a_wait_that_was_asked_for_is_kept),
        cmocka_unit_test(no_hold_is_longer_than_a_limit_lasts),
        cmocka_unit_test(what_an_attempt_was_given_is_told_once),
        cmocka_unit_test(who_interrupted_a_run_is_told),
        cmocka_unit_test(each_silence_has_its_length),
        cmocka_unit_test(an_end_by_the_watchdog_says_so),
        cmocka_unit_test(the_stream_goes_while_kafka_does_not_keep_up),
        cmocka_unit_test(an_end_without_a_result_is_synthetic),
        cmocka_unit_test(a_heartbeat_tells_how_far_it_is),
        cmocka_unit_test(a_warning_tells_the_cost_so_far),
        cmocka_unit_test(none_is_not_held),
        cmocka_unit_test(an_end_tells_cost_result_and_tail)};
    struct err err = ERR_INIT;
    int failed;

    if (secret_init(&err) != ERR_OK || redactor_new(&host.redactor, &err) != ERR_OK ||
        keyring_parse(STR(KEY), &keys, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    host.keys = keys;
    log_setup(LOG_ERROR, LOG_TEXT, 2);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = history, .initial_state = &rows[i]};
    failed = cmocka_run_group_tests_name("run", tests, NULL, NULL) +
             cmocka_run_group_tests_name("run, cut and read", others, NULL, NULL);
    redactor_free(host.redactor);
    keyring_free(keys);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is due while an agent prints, or does not: soft warnings, heartbeats, the watchdog, and
 * the end of what outlives its hard limit. One timer, set to whichever comes first. */
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 4096 };

/* --- warnings and heartbeats ------------------------------------------------------ */

/* Only a result line says what its turn cost: that of a turn under way is not in it yet. */
static void put_cost(const struct run *r, struct buf *b)
{
    struct usage used = run_attempt_usage(r);

    usage_add(&used, &r->claim.used);
    json_kv_num(b, "cost_usd", used.cost_usd);
    json_kv_num(b, "sandbox_cost_usd", used.sandbox_usd);
    if (r->stream.results < r->stream.inits)
        json_kv_bool(b, "turn_open", true);
}

static void warn(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv_int(&data, "elapsed_s", run_elapsed_ms(r) / 1000);
    put_cost(r, &data);
    buf_addc(&data, '}');
    run_say(r, EVENT_RUN_WARNING, &data);
    log_event(LOG_WARN, "run.long", LF("run", r->claim.run_id),
              LF_INT("elapsed_s", run_elapsed_ms(r) / 1000));
}

static void beat(struct run *r, int64_t now_ms)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv_int(&data, "elapsed_ms", run_elapsed_ms(r));
    json_kv_int(&data, "idle_ms", now_ms - r->watchdog.line_ms);
    json_kv_int(&data, "lines", r->stream.lines);
    json_kv_int(&data, "bytes", r->read_bytes);
    put_cost(r, &data);
    buf_addc(&data, '}');
    run_say(r, EVENT_RUN_HEARTBEAT, &data);
}

/* --- the watchdog ----------------------------------------------------------------- */

/* What is not read because the broker is behind, or is being ended already, is not watched. */
static bool watched(const struct run *r)
{
    return r->state == RUN_STREAMING && !r->paused && r->capture &&
           r->end.watchdog == WATCHDOG_NONE;
}

/* What is printed while it is ended changes no result that was there before. */
static void bite(struct run *r, enum watchdog_reason reason, int64_t now_ms)
{
    r->end.watchdog = reason;
    r->end.outcome = outcome_of_result(&r->stream);
    log_event(LOG_WARN, "run.stalled", LF("run", r->claim.run_id),
              LF("reason", watchdog_reason_name(reason)),
              LF_INT("idle_ms", now_ms - r->watchdog.line_ms), LF("next", "the agent is ended"));
    capture_cancel(r->capture, r->host->life.cancel_ms);
}

/* Ended behind its result: by that. Stuck before it: whatever it says while it is ended, unless
 * it came to an end after all. */
enum outcome run_watch_outcome(const struct run *r, int exit_status, struct str stderr_tail)
{
    enum outcome o = outcome_of_exit(&r->stream, exit_status, stderr_tail);

    switch (r->end.watchdog) {
    case WATCHDOG_AFTER_RESULT:
        return r->end.outcome;
    case WATCHDOG_SILENCE:
    case WATCHDOG_AFTER_TOOL_RESULT:
        return o == OUTCOME_SUCCESS ? o : OUTCOME_STALLED;
    case WATCHDOG_NONE:
    case WATCHDOG_REASONS:
        break;
    }
    return o;
}

/* --- the timer -------------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t backstop_ms(const struct run *r)
{
    return (r->request.timeout_s + RUN_BACKSTOP_S) * 1000;
}

static bool warning_left(const struct run *r)
{
    return r->warned < r->request.n_warn;
}

static void set_timer(struct run *r, int64_t now_ms)
{
    int64_t began_ms = now_ms - run_elapsed_ms(r), due = began_ms + backstop_ms(r);

    if (warning_left(r))
        due = sooner(due, began_ms + r->request.warn_at_s[r->warned] * 1000);
    if (r->host->times.heartbeat_ms > 0)
        due = sooner(due, r->beat_ms);
    if (watched(r))
        due = sooner(due, watchdog_due_ms(&r->watchdog, &r->host->times.watchdog));
    r->due_ms = due;
    timer_start(r->timer, due > now_ms ? due - now_ms : 0);
}

void run_watch_line(struct run *r, const struct stream_line *line)
{
    int64_t now_ms = clock_boot_ms();

    watchdog_line(&r->watchdog, &r->stream, line, now_ms);
    if (watched(r) && watchdog_due_ms(&r->watchdog, &r->host->times.watchdog) < r->due_ms)
        set_timer(r, now_ms);
}

void run_watch_resume(struct run *r)
{
    int64_t now_ms = clock_boot_ms();

    watchdog_start(&r->watchdog, now_ms);
    if (r->state == RUN_STREAMING)
        set_timer(r, now_ms);
}

static void check_heartbeat(struct run *r, int64_t now_ms)
{
    if (r->host->times.heartbeat_ms <= 0 || now_ms < r->beat_ms)
        return;
    r->beat_ms = now_ms + r->host->times.heartbeat_ms;
    if (run_may_publish(r))
        beat(r, now_ms);
}

static void check_warning(struct run *r)
{
    if (!warning_left(r) || run_elapsed_ms(r) < r->request.warn_at_s[r->warned] * 1000)
        return;
    r->warned++;
    if (run_may_publish(r))
        warn(r);
}

static void check_watchdog(struct run *r, int64_t now_ms)
{
    enum watchdog_reason reason =
        watched(r) ? watchdog_verdict(&r->watchdog, &r->host->times.watchdog, now_ms)
                   : WATCHDOG_NONE;

    if (reason != WATCHDOG_NONE)
        bite(r, reason, now_ms);
}

/* Warnings that an earlier owner gave are not given again. */
void run_watch_start(struct run *r)
{
    int64_t now_ms = clock_boot_ms();

    while (r->resumed && warning_left(r) &&
           r->request.warn_at_s[r->warned] * 1000 <= r->claim.age_ms)
        r->warned++;
    r->beat_ms = now_ms + r->host->times.heartbeat_ms;
    run_watch_resume(r);
}

void run_watch_timer(struct run *r)
{
    int64_t now_ms = clock_boot_ms();

    if (run_elapsed_ms(r) >= backstop_ms(r)) {
        capture_free(r->capture);
        r->capture = NULL;
        run_end_with(r, OUTCOME_TIMED_OUT, "the hard limit inside the sandbox did not hold", 0);
        run_apply(r, RUN_EV_ENDED);
        return;
    }
    check_warning(r);
    check_heartbeat(r, now_ms);
    check_watchdog(r, now_ms);
    run_keep_alive(r);
    set_timer(r, now_ms);
}

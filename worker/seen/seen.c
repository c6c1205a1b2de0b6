/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/seen/seen.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "schema/run_request.h"
#include "common/banned.h"

/* --- labels ------------------------------------------------------------------ */

static const char *state_name(size_t i)
{
    static char names[RUN_STATES][16]; /* "booting", made once each */

    for (size_t c = 0; !names[i][0] && c < sizeof(names[i]) - 1; c++) {
        const char *upper = run_state_name((enum run_state)(i + 1)); /* without NONE */
        for (; upper[c] && c < sizeof(names[i]) - 1; c++)
            names[i][c] = (char)tolower((unsigned char)upper[c]);
    }
    return names[i];
}

/* What a run waits for besides an outcome of its last attempt. "none": nobody has looked yet. */
static const char *const holds[] = {"other",        "none",
                                    "scheduled",    "unreadable",
                                    "tenant_limit", "credential_limit",
                                    "fleet_full",   "starts_per_minute",
                                    "no_slot",      "no_master_key",
                                    "disabled"};
enum { HOLD_KINDS = COUNTOF(holds) + OUTCOMES };

static const char *hold_name(size_t i)
{
    return i < COUNTOF(holds) ? holds[i] : outcome_name((enum outcome)(i - COUNTOF(holds)));
}

static const char *lane_name(size_t i)
{
    return run_lane_name((enum run_lane)i);
}

static const char *from_name(size_t i)
{
    return (const char *const[]){"dead", "released"}[i];
}

static const char *outcome_label(size_t i)
{
    return outcome_name((enum outcome)i);
}

static const char *cost_name(size_t i)
{
    return (const char *const[]){"agent", "sandbox"}[i];
}

static const char *token_name(size_t i)
{
    return (const char *const[]){"input", "output", "cache_read", "cache_write"}[i];
}

#define SEEN_CALL_TEXT(name, text) text,
static const char *call_name(size_t i)
{
    return (const char *const[]){SEEN_CALL_MAP(SEEN_CALL_TEXT)}[i];
}
#undef SEEN_CALL_TEXT

enum end { END_OK, END_THROTTLED, END_REFUSED, END_GONE, END_TIMEOUT, END_UNAVAILABLE, END_FAILED };

static const char *end_name(size_t i)
{
    return (const char *const[]){"ok",      "throttled",   "refused", "gone",
                                 "timeout", "unavailable", "failed"}[i];
}

/* --- the table --------------------------------------------------------------- */

static const double call_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 75};
static const double delay_bounds[] = {0.001, 0.002, 0.005, 0.01, 0.015, 0.02,
                                      0.03,  0.05,  0.1,   0.25, 1};

#define NONE {{NULL, NULL, 0}}
#define ONE(name, f, n)                                                                            \
    {                                                                                              \
        {                                                                                          \
            name, f, n                                                                             \
        }                                                                                          \
    }
#define BOUNDS(b) b, COUNTOF(b)

// clang-format off
static const struct metric table[SEEN_METRICS] = {
    [SEEN_RUNS] = {"sandfleet_worker_runs", "Runs that this worker drives, by what they wait for.",
        METRIC_GAUGE, ONE("state", state_name, RUN_STATES - 1), NULL, 0},
    [SEEN_BUFFERS] = {"sandfleet_worker_buffer_bytes", "Memory of those runs' buffers in use: the ends of their outputs, results, terminals.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_SLOTS] = {"sandfleet_worker_slots", "How many runs this worker drives at once.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_SLOTS_USED] = {"sandfleet_worker_slots_used", "Slots that a run has; over sandfleet_worker_slots while it follows a dead worker's.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_HELD] = {"sandfleet_ledger_waiting_runs", "Runs of the whole fleet that wait in the ledger, by the reason; told by the worker that leads.",
        METRIC_GAUGE, ONE("reason", hold_name, HOLD_KINDS), NULL, 0},
    [SEEN_TAKEN] = {"sandfleet_worker_runs_taken_total", "Attempts that began here.",
        METRIC_COUNTER, ONE("lane", lane_name, LANES), NULL, 0},
    [SEEN_RESUMED] = {"sandfleet_worker_runs_taken_over_total", "Runs gone on with that another worker left: it died, or released them.",
        METRIC_COUNTER, ONE("from", from_name, SEEN_FROM_KINDS), NULL, 0},
    [SEEN_HANDED_OVER] = {"sandfleet_worker_runs_handed_over_total", "Runs that this worker released when it went.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_ATTEMPTS] = {"sandfleet_worker_attempts_ended_total", "Attempts that ended, by outcome.",
        METRIC_COUNTER, ONE("outcome", outcome_label, OUTCOMES), NULL, 0},
    [SEEN_RUNS_ENDED] = {"sandfleet_worker_runs_ended_total", "Runs that ended for good, by the outcome of their last attempt.",
        METRIC_COUNTER, ONE("outcome", outcome_label, OUTCOMES), NULL, 0},
    [SEEN_LINES] = {"sandfleet_worker_lines_total", "Lines that agents printed and that were published.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_LINE_BYTES] = {"sandfleet_worker_line_bytes_total", "Bytes of those lines, before any was shortened.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_COST] = {"sandfleet_worker_cost_usd_total", "Dollars of ended attempts: what the agent reported, and the sandbox's estimate.",
        METRIC_COUNTER, ONE("of", cost_name, SEEN_COST_KINDS), NULL, 0},
    [SEEN_TOKENS] = {"sandfleet_worker_tokens_total", "Tokens of ended attempts.",
        METRIC_COUNTER, ONE("kind", token_name, SEEN_TOKEN_KINDS), NULL, 0},
    [SEEN_CALLS] = {"sandfleet_worker_sandbox_calls_total", "Requests to the sandbox service and into sandboxes, each try for itself.",
        METRIC_COUNTER, {{"operation", call_name, SEEN_CALL_KINDS}, {"outcome", end_name, END_FAILED + 1}}, NULL, 0},
    [SEEN_CALL_TIME] = {"sandfleet_worker_sandbox_call_seconds", "How long they took; a stream is not timed.",
        METRIC_HISTOGRAM, ONE("operation", call_name, SEEN_CALL_STREAM), BOUNDS(call_bounds)},
    [SEEN_DEAD_LETTERS] = {"sandfleet_worker_dead_letters_total", "Records of the request topics that were refused for good.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_LOOP_DELAY] = {"sandfleet_worker_loop_delay_seconds", "How late the event loop came to a timer, asked every 10 ms.",
        METRIC_HISTOGRAM, NONE, BOUNDS(delay_bounds)},
    [SEEN_KAFKA_UP] = {"sandfleet_worker_kafka_up", "1: a broker can be reached.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_KAFKA_RECORDS] = {"sandfleet_worker_kafka_queue_records", "Records sent and not yet acknowledged.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_KAFKA_BYTES] = {"sandfleet_worker_kafka_queue_bytes", "Bytes of those records.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_KAFKA_ERRORS] = {"sandfleet_worker_kafka_delivery_errors_total", "Records that the broker refused.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_LEDGER_UP] = {"sandfleet_worker_ledger_up", "1: Postgres answers.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_LEASE] = {"sandfleet_worker_lease_held", "1: this worker's lease holds, and it may publish.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_SANDBOXES_UP] = {"sandfleet_worker_sandboxes_up", "0: the sandbox service failed time after time, and runs wait for it.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_DRAINING] = {"sandfleet_worker_draining", "1: it takes no more runs.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_LEADS] = {"sandfleet_worker_leads", "1: it keeps the warm pool and clears away what is left behind.",
        METRIC_GAUGE, NONE, NULL, 0},
};
// clang-format on

static struct metrics *seen; /* NULL: nothing is counted */

enum err_code seen_init(struct err *err)
{
    seen = metrics_new(table, SEEN_METRICS);
    if (!seen)
        return err_set(err, ERR_NOMEM, "what is counted");
    return ERR_OK;
}

void seen_release(void)
{
    metrics_free(seen);
    seen = NULL;
}

/* --- counting ---------------------------------------------------------------- */

void seen_add(enum seen what, size_t label, double by)
{
    metrics_add(seen, what, label, 0, by);
}

void seen_set(enum seen what, size_t label, double to)
{
    metrics_set(seen, what, label, 0, to);
}

void seen_flag(enum seen what, bool is)
{
    metrics_set(seen, what, 0, 0, is ? 1 : 0);
}

static enum end end_of(enum err_code rc)
{
    switch (rc) {
    case ERR_OK:
        return END_OK;
    case ERR_THROTTLED:
    case ERR_CAPACITY:
        return END_THROTTLED;
    case ERR_UNAUTHORIZED:
    case ERR_INVALID:
    case ERR_CONFLICT:
        return END_REFUSED;
    case ERR_GONE:
    case ERR_NOT_FOUND:
        return END_GONE;
    case ERR_TIMEOUT:
        return END_TIMEOUT;
    case ERR_UNAVAILABLE:
    case ERR_IO:
        return END_UNAVAILABLE;
    case ERR_TOO_BIG:
    case ERR_USAGE:
    case ERR_PROTOCOL:
    case ERR_CANCELLED:
    case ERR_CONFIG:
    case ERR_NOMEM:
    case ERR_INTERNAL:
    case ERR_CODES:
        break;
    }
    return END_FAILED;
}

void seen_call(enum seen_call call, int64_t begun_ms, enum err_code rc)
{
    metrics_add(seen, SEEN_CALLS, call, end_of(rc), 1);
    if (call != SEEN_CALL_STREAM)
        metrics_observe(seen, SEEN_CALL_TIME, call, 0, (double)(clock_boot_ms() - begun_ms) / 1000);
}

void seen_hold(const char *reason, double runs)
{
    size_t i = HOLD_KINDS - 1;

    while (i > 0 && strcmp(hold_name(i), reason) != 0) /* what is not found is the first */
        i--;
    if (seen)
        metrics_set(seen, SEEN_HELD, i, 0, metrics_value(seen, SEEN_HELD, i, 0) + runs);
}

void seen_holds_forget(void)
{
    metrics_forget(seen, SEEN_HELD);
}

void seen_holds_zero(void)
{
    for (size_t i = 0; i < HOLD_KINDS; i++)
        metrics_set(seen, SEEN_HELD, i, 0, 0);
}

/* --- the loop's delay -------------------------------------------------------- */

enum { LOOK_MS = 10 };

struct seen_delay {
    struct timer *timer;
    int64_t due_us;
};

static void look_again(struct seen_delay *d)
{
    d->due_us = clock_boot_us() + LOOK_MS * 1000;
    timer_start(d->timer, LOOK_MS);
}

/* The timer's own millisecond is in it: libuv counts in whole ones. */
static void on_due(void *ctx)
{
    struct seen_delay *d = ctx;
    int64_t late_us = clock_boot_us() - d->due_us;

    metrics_observe(seen, SEEN_LOOP_DELAY, 0, 0, late_us > 0 ? (double)late_us / 1e6 : 0);
    look_again(d);
}

struct seen_delay *seen_delay_new(struct loop *l)
{
    struct seen_delay *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->timer = timer_new(l, on_due, d);
    if (!d->timer) {
        free(d);
        return NULL;
    }
    look_again(d);
    return d;
}

void seen_delay_free(struct seen_delay *d)
{
    if (!d)
        return;
    timer_free(d->timer);
    free(d);
}

/* --- writing ----------------------------------------------------------------- */

void seen_write(struct buf *out)
{
    if (seen)
        metrics_write(seen, out);
}

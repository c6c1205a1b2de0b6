/* SPDX-License-Identifier: Apache-2.0 */
/* While the agent prints: lines to events, warnings, back-pressure. */
#include <stdlib.h>
#include <string.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/run/limit_windows.h"
#include "worker/run/run_internal.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum {
    RESULT_MEMBERS = 64,
    DATA_MAX_BYTES = 4096,
    SCRATCH_KEPT_BYTES = 256 << 10, /* more, for a long line, is given back */
    HOLD_MAX_MS = 8 * 86400 * 1000,
    LONG_JSON_BYTES = 900 * 1000,
    LONG_TEXT_BYTES = 150 * 1000
};

void run_stream_reset(struct run *r)
{
    r->stream = (struct stream_state){.schema_asked = r->request.json_schema != NULL};
    r->watchdog = (struct watchdog){0};
    r->end.watchdog = WATCHDOG_NONE;
    r->read_bytes = 0;
    buf_clear(&r->tail);
    buf_clear(&r->result);
    r->paused = false;
    r->shortened = false;
}

int64_t run_elapsed_ms(const struct run *r)
{
    return r->began_ms ? clock_boot_ms() - r->began_ms : 0;
}

struct usage run_attempt_usage(const struct run *r)
{
    const struct stream_state *s = &r->stream;
    struct sandbox_size size = run_sandbox_size(r);

    return (struct usage){.cost_usd = s->cost_usd,
                          .input_tokens = s->input_tokens,
                          .output_tokens = s->output_tokens,
                          .cache_read_tokens = s->cache_read_tokens,
                          .cache_write_tokens = s->cache_write_tokens,
                          .sandbox_ms = run_sandbox_ms(r),
                          .sandbox_usd = sandbox_size_cost(&size, run_sandbox_ms(r))};
}

/* When not, all runs are lapsed and confirmed before it is true again, and read anew: what
 * is passed over meanwhile is not lost. */
bool run_may_publish(const struct run *r)
{
    return r->host->may_publish(r->host->ctx);
}

/* Is an agent followed? One that was cancelled is, too: its last words tell the cost. */
static bool follows(const struct run *r)
{
    return r->state == RUN_STREAMING || r->state == RUN_CANCELLING;
}

/* --- started ----------------------------------------------------------------- */

static void on_started_saved(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    fault_pass("start", "saved");
    r->started_op = NULL;
    if (!held && e->code == ERR_OK)
        run_depose(r);
}

static const char *origin(const struct run *r)
{
    return r->place.claude_session[0] ? "session" : r->place.warm ? "warm" : "new";
}

/* Where an earlier run's conversation was found; NULL: this one is new. */
static const char *resumed_from(const struct run *r)
{
    return r->place.claude_session[0] ? "sandbox" : run_conversation(r) ? "transcript" : NULL;
}

static void say_started(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES + RUN_FACTS_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv(&data, "worker", r->host->worker_id);
    json_kv(&data, "sandbox_id", r->place.sandbox_id);
    json_kv(&data, "sandbox_origin", origin(r));
    json_kv(&data, "resumed_from", resumed_from(r));
    run_data_facts(r, &data);
    json_kv(&data, "credential", r->claim.credential->name);
    json_kv(&data, "credential_mode", run_mode_name(r->mode));
    buf_addc(&data, '}');
    run_say(r, EVENT_ATTEMPT_STARTED, &data);
    buf_release(&r->facts); /* who takes over tells them again, at the end */
}

static void on_started(void *ctx)
{
    struct run *r = ctx;
    bool first = !r->claim.started;

    if ((r->state != RUN_STARTING && r->state != RUN_CANCELLING) || !run_may_publish(r))
        return;
    r->claim.started = true;
    buf_release(&r->transcript);
    if (r->began_ms == 0)
        r->began_ms = clock_boot_ms() - r->claim.age_ms;
    if (first) {
        r->started_op = ledger_set_started(r->host->ledger, run_who(r), on_started_saved, r);
        say_started(r);
    }
    run_apply(r, RUN_EV_STARTED);
}

void run_enter_streaming(struct run *r)
{
    run_watch_start(r);
    run_keep_alive(r);
    run_learn_size(r);
    r->host->streams(r->host->ctx);
}

/* The lease lapsed: nothing more may be said, so nothing more is read. What was sent and
 * not acknowledged may still arrive; the epoch in it says what it is worth. */
void run_enter_suspended(struct run *r)
{
    timer_stop(r->timer);
    capture_free(r->capture);
    run_break_off(r);
    sandbox_free(r->sandbox);
    r->capture = NULL;
    r->sandbox = NULL;
}

/* --- lines ------------------------------------------------------------------- */

/* Made for each line and used up before the next one: of all runs, as there is one loop. */
static struct buf scratch_rendered, scratch_data;

static struct buf *scratch(struct buf *b, size_t max)
{
    if (b->cap > SCRATCH_KEPT_BYTES)
        buf_release(b);
    buf_clear(b);
    b->max = max;
    return b;
}

/* A long line is rendered beside the tail, whose memory so stays at RUN_TAIL_ROOM. */
static void keep_tail(struct run *r, struct str line, const struct stream_line *kind)
{
    struct buf *rendered = scratch(&scratch_rendered, 2 * CAPTURE_LINE_MAX_BYTES);

    stream_json_render(line, kind, rendered);
    if (rendered->len > RUN_TAIL_MAX_BYTES)
        buf_drop(rendered, rendered->len - RUN_TAIL_MAX_BYTES);
    size_t sum = r->tail.len + rendered->len;
    if (sum > RUN_TAIL_ROOM - 1)
        buf_drop(&r->tail, sum - RUN_TAIL_MAX_BYTES);
    buf_addstr(&r->tail, buf_str(rendered));
}

/* The text of the last result line is the run's result. */
static void keep_result(struct run *r, struct str line)
{
    struct json_member members[RESULT_MEMBERS];
    struct json_scan scan;
    struct err err = ERR_INIT;

    buf_clear(&r->result);
    if (json_scan(line, members, COUNTOF(members), &scan, &err) != ERR_OK)
        return;
    size_t n = scan.n_members < COUNTOF(members) ? scan.n_members : COUNTOF(members);
    struct str quoted = json_member(members, n, "result");
    if (quoted.n == 0 || json_unquote(quoted, &r->result, &err) != ERR_OK)
        buf_clear(&r->result);
}

static void publish_line(struct run *r, const struct capture_line *line,
                         const struct stream_line *kind, size_t masked)
{
    struct buf *data = scratch(&scratch_data, EVENT_DATA_MAX_BYTES);
    struct err err = ERR_INIT;
    struct event e = {.type = kind->type,
                      .attempt = r->claim.attempt,
                      .epoch = r->claim.epoch,
                      .n = line->n,
                      .offset = line->end_offset,
                      .time_ms = clock_wall_ms(),
                      .tool = kind->tool,
                      .model = kind->model,
                      .input_tokens = kind->input_tokens,
                      .output_tokens = kind->output_tokens,
                      .cost_usd = kind->cost_usd};
    /* Views in `kind` point into the line, whose length sanitizing keeps. */
    enum err_code rc = stream_json_data(line->mutable_text, line->text.n, kind, line->n,
                                        line->end_offset, line->true_bytes, masked, data, &err);
    if (rc == ERR_OK) {
        e.data = buf_str(data);
        rc = publish_event(r->log, &e, &err);
    }
    if (rc == ERR_OK) {
        seen_add(SEEN_LINES, 0, 1);
        seen_add(SEEN_LINE_BYTES, 0, (double)line->true_bytes);
    }
    if (rc != ERR_OK)
        log_event(LOG_ERROR, "run.line_lost", LF("run", r->claim.run_id), LF_INT("line", line->n),
                  LF_ERR(&err));
    r->sent_line = line->n;
}

/* What came is from an agent that we did not know to have started. */
static bool unheard_of(const struct run *r)
{
    return r->state == RUN_STARTING || (r->state == RUN_CANCELLING && !r->claim.started);
}

/* May its event tell less than it? Text grows by its escapes. */
static bool is_long(const struct capture_line *line, const struct stream_line *kind)
{
    return line->true_bytes > (int64_t)line->text.n ||
           line->text.n > (kind->is_json ? LONG_JSON_BYTES : LONG_TEXT_BYTES);
}

/* For whoever looks at the credentials; nothing waits for it, and the next such line tells anew. */
static void learn_windows(const struct run *r, struct str line)
{
    AUTO_BUF windows = BUF_INIT(LIMIT_WINDOWS_BYTES);
    struct err err = ERR_INIT;

    if (r->claim.credential->kind == CREDENTIAL_NONE || !limit_windows(line, &windows))
        return;
    if (ledger_learn_windows(r->host->ledger, r->claim.credential, windows.p, &err) != ERR_OK)
        log_event(LOG_WARN, "credential.limits_not_learned",
                  LF("credential", r->claim.credential->name), LF_ERR(&err));
}

static void on_line(void *ctx, const struct capture_line *line)
{
    struct run *r = ctx;
    struct stream_line kind = {0};

    if (unheard_of(r))
        on_started(r);
    if (!follows(r) || !run_may_publish(r))
        return;
    size_t masked = redactor_cut(r->host->redactor, line->mutable_text, line->text.n,
                                 line->true_bytes > (int64_t)line->text.n ? REDACT_OPEN : 0);
    stream_json_line(&r->stream, line->text, &kind);
    run_watch_line(r, &kind);
    r->read_bytes = line->end_offset;
    r->shortened = r->shortened || is_long(line, &kind);
    keep_tail(r, line->text, &kind);
    if (kind.type == EVENT_AGENT_RESULT && r->end.watchdog != WATCHDOG_AFTER_RESULT)
        keep_result(r, line->text);
    if (line->n > r->sent_line)
        publish_line(r, line, &kind, masked);
    if (kind.type == EVENT_AGENT_RATE_LIMIT)
        learn_windows(r, line->text);
    fault_pass("line", "published");
    run_stream_moved(r);
}

/* What is not read on lies safe in the sandbox: the stream is dropped, and opened again at
 * the next line. */
void run_stream_moved(struct run *r)
{
    size_t most = r->paused ? RUN_UNACKED_LOW_BYTES : RUN_UNACKED_MAX_BYTES;
    bool pause = publish_log_blocked(r->log) || publish_log_unacked(r->log) > most;

    if (!follows(r) || !r->capture || pause == r->paused)
        return;
    r->paused = pause;
    capture_pause(r->capture, pause);
}

/* --- the end ----------------------------------------------------------------- */

/* What was cut off at its beginning may begin within a secret: more was read than is kept, and as
 * much as one may have is dropped. */
static char *masked_tail(const struct run *r, struct str s)
{
    size_t drop = s.n > CAPTURE_STDERR_KEPT_BYTES ? s.n - CAPTURE_STDERR_KEPT_BYTES : 0;
    size_t longest = redactor_longest(r->host->redactor);
    char *copy = s.n ? str_dup(s) : NULL;

    if (!copy)
        return NULL;
    (void)redactor_cut(r->host->redactor, copy, s.n, 0);
    if (s.n >= CAPTURE_STDERR_MAX_BYTES && drop < longest)
        drop = longest < s.n ? longest : s.n;
    memmove(copy, copy + drop, s.n - drop + 1);
    return copy;
}

/* What the agent said of it, the most precise word first. */
static const char *reason_of(const struct run *r, enum outcome o)
{
    const struct stream_state *s = &r->stream;
    const char *words[] = {s->error, s->last.api_error, s->last.terminal_reason, s->last.subtype};

    if (o == OUTCOME_SUCCESS)
        return "";
    if (o == OUTCOME_STALLED)
        return watchdog_reason_name(r->end.watchdog);
    if (o == OUTCOME_USAGE_LIMIT && s->limit_type[0])
        return s->limit_type;
    if (o == OUTCOME_AGENT_ERROR && s->last.seen && !s->last.is_error)
        return "no_structured_output";
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (words[i][0] && strcmp(words[i], "completed") != 0 && strcmp(words[i], "success") != 0)
            return words[i];
    return "";
}

/* No limit lasts longer than a week, whatever a line says. */
static int64_t hold_ms_of(const struct stream_state *s)
{
    int64_t ms = s->limit_rejected ? s->limit_resets_at_s * 1000 - clock_wall_ms() : 0;
    return ms < 0 ? 0 : ms < HOLD_MAX_MS ? ms : HOLD_MAX_MS;
}

static void judge(struct run *r, const struct capture_end *end)
{
    enum outcome o = end->log_ceiling ? OUTCOME_LOG_CEILING
                                      : run_watch_outcome(r, end->exit_status, end->stderr_tail);

    if (o == OUTCOME_SUCCESS && r->end.watchdog == WATCHDOG_NONE && end->exit_status != 0)
        log_event(LOG_WARN, "attempt.exit_status", LF("run", r->claim.run_id),
                  LF_INT("status", end->exit_status), LF("next", "its result counts"));
    run_end_with(r, o, reason_of(r, o), hold_ms_of(&r->stream));
}

/* A turn that was broken off has no result line, and that would have told. */
static bool wants_cost(void *ctx)
{
    const struct run *r = ctx;

    return r->stream.inits > r->stream.results;
}

static void on_ended(void *ctx, const struct capture_end *end)
{
    struct run *r = ctx;

    if (r->state == RUN_STARTING)
        on_started(r);
    if (!follows(r) || !run_may_publish(r))
        return;
    (void)stream_json_total(&r->stream, end->cost_before, end->cost_after);
    if (r->state == RUN_CANCELLING)
        run_end_cancelled(r);
    else
        judge(r, end);
    r->end.exited = true;
    r->end.exit_status = end->exit_status;
    r->end.bytes = end->bytes;
    r->end.lines = end->lines;
    r->end.blank_lines = end->blank_lines;
    free(r->end.stderr_tail);
    r->end.stderr_tail = masked_tail(r, end->stderr_tail);
    run_apply(r, RUN_EV_ENDED);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    log_event(LOG_WARN, "capture.failed", LF("run", r->claim.run_id), LF_ERR(e));
    if (e->code == ERR_GONE && run_may_publish(r))
        run_say_sandbox(r, EVENT_SANDBOX_LOST, "gone");
    if (r->state == RUN_CANCELLING)
        run_end_cancelled(r);
    else
        run_end_with(r, e->code == ERR_GONE ? OUTCOME_SANDBOX_LOST : outcome_of_error(e), e->msg,
                     e->retry_ms);
    run_apply(r, RUN_EV_ENDED);
}

const struct capture_events run_capture_events = {.started = on_started,
                                                  .line = on_line,
                                                  .wants_cost = wants_cost,
                                                  .ended = on_ended,
                                                  .failed = on_failed};

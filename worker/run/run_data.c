/* SPDX-License-Identifier: Apache-2.0 */
/* What control events say, member by member. Pure. */
#include "common/clock.h"
#include "common/json/json.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

void run_data_usage(struct buf *b, const struct usage *u)
{
    json_kv_num(b, "cost_usd", u->cost_usd);
    json_kv_int(b, "input_tokens", u->input_tokens);
    json_kv_int(b, "output_tokens", u->output_tokens);
    json_kv_int(b, "cache_read_tokens", u->cache_read_tokens);
    json_kv_int(b, "cache_write_tokens", u->cache_write_tokens);
    json_kv_int(b, "sandbox_ms", u->sandbox_ms);
    json_kv_num(b, "sandbox_cost_usd", u->sandbox_usd);
}

void run_data_facts(const struct run *r, struct buf *b)
{
    struct str members = buf_str(&r->facts);

    if (members.n <= 2) /* braces */
        return;
    buf_addc(b, ',');
    buf_addstr(b, (struct str){members.p + 1, members.n - 2});
}

static const char *or_null(const char *s)
{
    return s[0] ? s : NULL;
}

void run_data_attempt_end(const struct run *r, struct buf *b)
{
    const struct attempt_end *e = &r->end;
    struct usage used = run_attempt_usage(r);

    buf_addc(b, '{');
    json_kv(b, "outcome", outcome_name(e->outcome));
    json_kv(b, "reason", or_null(e->reason));
    json_kv_int(b, "lines", e->exited ? e->lines : r->stream.lines);
    if (e->exited) {
        json_kv_int(b, "exit_code", e->exit_status);
        json_kv_int(b, "bytes", e->bytes);
        json_kv_int(b, "blank_lines", e->blank_lines);
    }
    run_data_usage(b, &used);
    json_kv(b, "model", or_null(r->stream.model));
    json_kv(b, "claude_version", or_null(r->stream.version));
    json_kv(b, "claude_session", or_null(r->stream.session_id));
    json_kv_int(b, "duration_ms", run_elapsed_ms(r));
    if (e->watchdog != WATCHDOG_NONE)
        json_kv(b, "watchdog", watchdog_reason_name(e->watchdog));
    if (r->stream.results == 0)
        json_kv_bool(b, "synthetic", true);
    run_data_facts(r, b);
    buf_addc(b, '}');
}

/* The first max bytes, without a character cut in two. */
static struct str head(const struct buf *b, size_t max)
{
    struct str s = buf_str(b);
    if (s.n <= max)
        return s;
    for (s.n = max; s.n > 0 && ((unsigned char)b->p[s.n] & 0xc0) == 0x80; s.n--)
        ;
    return s;
}

static struct str tail(const struct buf *b, size_t max)
{
    struct str s = buf_str(b);
    if (s.n > max) {
        s.p += s.n - max;
        s.n = max;
    }
    for (; s.n > 0 && ((unsigned char)*s.p & 0xc0) == 0x80; s.n--)
        s.p++;
    return s;
}

static const char *state_of(enum event_type terminal)
{
    return event_type_name(terminal) + sizeof("sandfleet.run.") - 1;
}

void run_data_terminal(const struct run *r, struct buf *b)
{
    const struct attempt_end *e = &r->end;
    bool never_ran = r->refused && !r->resumed;

    buf_addc(b, '{');
    json_kv(b, "state", state_of(outcome_event(e->outcome)));
    json_kv(b, "outcome", outcome_name(e->outcome));
    json_kv(b, "reason", or_null(e->reason));
    json_kv_int(b, "attempts", r->claim.attempt - never_ran);
    run_data_usage(b, &r->claim.used);
    json_kv_int(b, "duration_ms", run_elapsed_ms(r));
    json_kv(b, "claude_session", or_null(r->stream.session_id));
    if (r->result.len > 0)
        json_kv_str(b, "result", head(&r->result, RUN_RESULT_MAX_BYTES));
    if (r->result.len > RUN_RESULT_MAX_BYTES)
        json_kv_bool(b, "result_truncated", true);
    else if (r->stream.schema_asked && e->outcome == OUTCOME_SUCCESS)
        json_kv_bool(b, "structured", true); /* the result is JSON that follows the schema */
    if (r->artifacts.len > 0) {
        json_key(b, "artifacts");
        buf_addf(b, "[" STR_FMT "]", STR_ARG(buf_str(&r->artifacts)));
    }
    if (r->tail.len > 0)
        json_kv_str(b, "output_tail", tail(&r->tail, RUN_TAIL_MAX_BYTES));
    if (r->stream.results == 0) /* the agent did not say so: we do */
        json_kv_bool(b, "synthetic", true);
    buf_addc(b, '}');
    if (b->rc == ERR_OK) /* an agent can say NUL; a database cannot hold it */
        json_sanitize(b->p, b->len);
}

/* Of the sandbox as a whole, its earlier users' time included. */
void run_data_sandbox(const struct run *r, const char *reason, struct buf *b)
{
    struct sandbox_size size = run_sandbox_size(r);
    int64_t running_ms = r->place.running_ms + run_sandbox_ms(r);
    int64_t age_ms = r->place.age_ms + clock_boot_ms() - r->placed_ms;

    if (running_ms > age_ms) /* by some milliseconds: sums of two clocks */
        running_ms = age_ms;
    buf_addc(b, '{');
    json_kv(b, "sandbox_id", r->place.sandbox_id);
    json_kv(b, "template", r->request.template);
    json_kv(b, "reason", reason);
    json_kv_int(b, "age_ms", age_ms);
    json_kv_int(b, "running_ms", running_ms);
    if (size.usd_per_hour > 0)
        json_kv_num(b, "cost_usd", sandbox_size_cost(&size, running_ms));
    buf_addc(b, '}');
}

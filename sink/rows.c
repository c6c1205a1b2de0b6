/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/rows.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/uuid.h"

#include "sink/copy_binary.h"
#include "sink/writer_sql.h"

#include "common/banned.h"

/* "" means absent, like a missing header. */
static void text_or_null(struct buf *b, struct str s)
{
    copy_text(b, s.n > 0 ? s : (struct str){0});
}

void rows_event(struct buf *b, const struct run_row *run, const struct event_view *v)
{
    const struct event *e = &v->event;
    bool is_line = event_is_line(e->type);

    copy_row(b, EVENT_FIELDS);
    copy_uuid(b, run->id);
    copy_date(b, run->day_ms);
    copy_int8(b, run->judge.sequence);
    copy_int4(b, (int32_t)e->attempt);
    copy_int4(b, (int32_t)e->epoch);
    copy_int8_or_null(b, is_line ? e->n : 0);
    copy_int8_or_null(b, is_line ? e->offset : 0);
    copy_text(b, v->type_text);
    copy_timestamptz(b, e->time_ms);
    copy_text(b, v->tenant);
    text_or_null(b, e->tool);
    text_or_null(b, e->model);
    copy_int8_or_null(b, e->input_tokens);
    copy_int8_or_null(b, e->output_tokens);
    if (e->cost_usd > 0)
        copy_float8(b, e->cost_usd);
    else
        copy_null(b);
    copy_text(b, e->data);
}

void rows_gap(struct buf *b, const struct run_row *run, const struct event *e, int64_t missing)
{
    copy_row(b, GAP_FIELDS);
    copy_uuid(b, run->id);
    copy_int8(b, run->judge.sequence);
    copy_int4(b, (int32_t)e->attempt);
    copy_int8(b, e->n - missing);
    copy_int8(b, e->n - 1);
}

/* --- rows of runs and attempts: JSON objects for json_populate_recordset(). What is not
 * there becomes NULL. */

static void kv(struct buf *b, const char *column, struct str s)
{
    if (s.p)
        json_kv_str(b, column, s);
}

static void kv_id(struct buf *b, const char *column, const uint8_t id[16])
{
    char text[UUID_TEXT];

    uuid_text(id, text);
    json_kv(b, column, text);
}

/* A record's own time may be anything; the table's are what people can read. */
static int64_t readable(int64_t wall_ms)
{
    return wall_ms < 1 ? 1 : wall_ms > EVENT_TIME_MAX ? EVENT_TIME_MAX : wall_ms;
}

/* 0: none. */
static void kv_time(struct buf *b, const char *column, int64_t wall_ms)
{
    char text[CLOCK_TEXT];

    if (wall_ms == 0)
        return;
    json_kv(b, column, clock_rfc3339(readable(wall_ms), text));
}

static void kv_float(struct buf *b, const char *column, double d)
{
    if (isfinite(d))
        json_kv_num(b, column, d);
    else
        json_kv(b, column, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
}

static void kv_place(struct buf *b, const char *partition, const char *offset,
                     const struct log_place *at)
{
    if (!at->known)
        return;
    json_kv_int(b, partition, at->partition);
    json_kv_int(b, offset, at->offset);
}

static void kv_json(struct buf *b, const char *column, const cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    if (text)
        json_kv_raw(b, column, str_of(text));
    if (json && !text)
        b->rc = ERR_NOMEM;
    free(text);
}

static void request_fields(struct buf *b, const struct run_row *run)
{
    const struct run_request *r = run->request;
    char created[CLOCK_TEXT];

    if (!r)
        return;
    json_kv(b, "session_id", r->session_id);
    json_kv(b, "project_id", r->project_id);
    json_kv(b, "user_id", r->user_id);
    json_kv(b, "lane", run_lane_name(run->lane));
    json_kv(b, "template", r->template);
    json_kv(b, "credential", r->credential);
    json_kv(b, "fairness_key", r->fairness_key);
    json_kv(b, "prompt", r->prompt);
    kv_json(b, "metadata", r->metadata);
    kv_json(b, "tags", r->tags);
    if (run->created_us > 0 && readable(run->created_ms) == run->created_ms)
        json_kv(b, "created_at", clock_rfc3339_us(run->created_ms, run->created_us, created));
    else
        kv_time(b, "created_at", run->created_ms);
    kv_place(b, "request_partition", "request_offset", &run->request_at);
}

static void event_fields(struct buf *b, const struct run_row *run)
{
    json_kv(b, "state", run_state_name(run->state));
    kv(b, "hold_reason", run->hold_reason);
    kv_time(b, "hold_until", run->hold_until_ms);
    kv(b, "outcome", run->outcome);
    kv(b, "reason", run->reason);
    kv(b, "worker_id", run->worker);
    kv(b, "sandbox_id", run->sandbox);
    kv(b, "claude_session", run->session);
    kv(b, "result", run->result);
    if (run->structured)
        json_kv_bool(b, "structured", true);
    kv(b, "output_tail", run->output_tail);
    kv_time(b, "started_at", run->started_ms);
    kv_time(b, "ended_at", run->ended_ms);
    kv_time(b, "last_event_at", run->last_event_ms);
    kv_place(b, "event_partition", "event_offset", &run->event_at);
}

/* sequence 0 tells the merge that no event touched the row. */
static void memory_fields(struct buf *b, const struct run_row *run)
{
    static const char *const tokens[TOKENS] = {
        [TOKENS_INPUT] = "input_tokens",
        [TOKENS_OUTPUT] = "output_tokens",
        [TOKENS_CACHE_READ] = "cache_read_tokens",
        [TOKENS_CACHE_WRITE] = "cache_write_tokens",
    };
    const struct judge *j = &run->judge;

    json_kv_int(b, "attempt", run->attempt);
    kv_float(b, "cost_usd", run->cost_usd);
    for (size_t i = 0; i < TOKENS; i++)
        json_kv_int(b, tokens[i], run->tokens[i]);
    json_kv_int(b, "sandbox_ms", run->sandbox_ms);
    kv_float(b, "sandbox_cost_usd", run->sandbox_usd);
    json_kv_int(b, "sequence", run->by_event ? j->sequence : 0);
    json_kv_int(b, "epoch", j->epoch);
    json_kv_int(b, "control_n", j->control_n);
    json_kv_int(b, "line_attempt", j->attempt);
    json_kv_int(b, "line", j->line);
    json_kv_int(b, "closed_attempt", j->closed);
    json_kv_bool(b, "ended", j->ended);
    json_kv_int(b, "repeats", run->repeats);
    json_kv_int(b, "superseded", run->superseded);
    json_kv_int(b, "missing_lines", run->missing_lines);
}

void rows_run(struct buf *b, const struct run_row *run)
{
    char day[CLOCK_TEXT];

    buf_addc(b, '{');
    kv_id(b, "run_id", run->id);
    json_kv(b, "run_day", clock_day(readable(run->day_ms), day));
    kv(b, "tenant", run->tenant);
    kv(b, "batch_id", run->batch_id);
    kv(b, "custom_id", run->custom_id);
    request_fields(b, run);
    kv(b, "model", run->model);
    event_fields(b, run);
    memory_fields(b, run);
    buf_addc(b, '}');
}

void rows_attempt(struct buf *b, const struct run_row *run, const struct attempt_row *a)
{
    buf_addc(b, '{');
    kv_id(b, "run_id", run->id);
    json_kv_int(b, "attempt", a->attempt);
    json_kv(b, "state", attempt_state_name(a->state));
    kv(b, "worker_id", a->worker);
    kv(b, "sandbox_id", a->sandbox);
    kv(b, "model", a->model);
    kv(b, "claude_version", a->claude_version);
    kv(b, "template", a->template);
    kv(b, "credential", a->credential);
    kv(b, "credential_mode", a->credential_mode);
    if (a->arguments.p)
        json_kv_raw(b, "arguments", a->arguments);
    for (size_t i = 0; i < HASHES; i++)
        kv(b, hash_names[i], a->hashes[i]);
    kv(b, "outcome", a->outcome);
    kv(b, "reason", a->reason);
    if (a->has_exit_code && a->exit_code >= INT32_MIN && a->exit_code <= INT32_MAX)
        json_kv_int(b, "exit_code", a->exit_code);
    json_kv_int(b, "lines", a->lines);
    json_kv_int(b, "bytes", a->bytes);
    kv_float(b, "cost_usd", a->cost_usd);
    kv_time(b, "starting_at", a->starting_ms);
    kv_time(b, "started_at", a->started_ms);
    kv_time(b, "ended_at", a->ended_ms);
    buf_addc(b, '}');
}

/* The merge needs no memory of the row: each word says all it knows. */
void rows_sandbox(struct buf *b, const struct run_row *run, const struct sandbox_word *w)
{
    buf_addc(b, '{');
    kv(b, "sandbox_id", w->id);
    kv(b, "template", w->template);
    if (w->used) {
        kv(b, "tenant", run->tenant);
        kv_id(b, "run_id", run->id);
        kv_time(b, "used_at", w->time_ms);
    }
    json_kv(b, "state", w->state);
    json_kv_str(b, "reason", w->reason.p ? w->reason : STR(""));
    kv_time(b, "since", w->time_ms);
    kv_time(b, "created_at", w->time_ms - w->age_ms);
    json_kv_int(b, "running_ms", w->running_ms);
    if (w->cost_usd >= 0)
        kv_float(b, "cost_usd", w->cost_usd);
    buf_addc(b, '}');
}

void rows_superseded(struct buf *b, const struct run_row *run, const struct superseded_row *s)
{
    buf_addc(b, '{');
    kv_id(b, "run_id", run->id);
    json_kv_int(b, "epoch", s->epoch);
    json_kv_int(b, "records", s->records);
    json_kv_int(b, "by_epoch", s->by_epoch);
    json_kv_int(b, "after_sequence", s->after_sequence);
    buf_addc(b, '}');
}

/* For people to read: what jsonb refuses is U+FFFD here, too. The value stays exact. */
static void headers(struct buf *b, const struct kafka_record *r)
{
    AUTO_BUF json = BUF_INIT(b->max);
    struct kafka_header all[KAFKA_HEADERS_MAX];
    size_t n = r->message ? kafka_headers_read(r->message, all) : 0;

    buf_addc(&json, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(&json, ',');
        json_put_string(&json, str_of(all[i].name));
        buf_addc(&json, ':');
        json_put_string(&json, all[i].value);
    }
    buf_addc(&json, '}');
    if (json.rc != ERR_OK)
        b->rc = json.rc;
    else
        (void)json_sanitize(json.p, json.len);
    copy_text(b, buf_str(&json));
}

/* The time is the record's, not now(): a rebuilt table is the same. */
void rows_quarantine(struct buf *b, const struct batch_item *item)
{
    const struct kafka_record *r = &item->record;

    copy_row(b, QUARANTINE_FIELDS);
    copy_text(b, str_of(r->topic));
    copy_int4(b, r->partition);
    copy_int8(b, r->offset);
    copy_text(b, item->reason);
    copy_text(b, item->detail);
    copy_text(b, r->key);
    copy_text(b, r->value);
    headers(b, r);
    copy_timestamptz(b, r->timestamp_ms);
}

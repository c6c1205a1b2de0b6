/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/rows.h"

#include <stdlib.h>

#include "common/json.h"

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

static void metadata(struct buf *b, const cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    copy_text(b, str_of(text));
    if (json && !text)
        b->rc = ERR_NOMEM;
    free(text);
}

static void request_fields(struct buf *b, const struct run_row *run)
{
    static const struct run_request none = {0};
    const struct run_request *r = run->request ? run->request : &none;

    copy_text(b, str_of(r->session_id));
    copy_text(b, str_of(r->project_id));
    copy_text(b, str_of(r->user_id));
    copy_text(b, run->request ? str_of(run_lane_name(run->lane)) : (struct str){0});
    copy_text(b, str_of(r->template));
    copy_text(b, str_of(r->credential));
    copy_text(b, str_of(r->prompt));
    metadata(b, r->metadata);
    copy_timestamptz_or_null(b, run->created_ms);
}

static void event_fields(struct buf *b, const struct run_row *run)
{
    copy_text(b, str_of(run_state_name(run->state)));
    copy_text(b, run->hold_reason);
    copy_timestamptz_or_null(b, run->hold_until_ms);
    copy_text(b, run->outcome);
    copy_text(b, run->reason);
    copy_text(b, run->worker);
    copy_text(b, run->sandbox);
    copy_text(b, run->session);
    copy_text(b, run->result);
    copy_text(b, run->output_tail);
    copy_timestamptz_or_null(b, run->started_ms);
    copy_timestamptz_or_null(b, run->ended_ms);
    copy_timestamptz_or_null(b, run->last_event_ms);
}

/* sequence 0 tells the merge that no event touched the row. */
static void memory_fields(struct buf *b, const struct run_row *run)
{
    const struct judge *j = &run->judge;

    copy_int4(b, (int32_t)run->attempt);
    copy_float8(b, run->cost_usd);
    for (size_t i = 0; i < TOKENS; i++)
        copy_int8(b, run->tokens[i]);
    copy_int8(b, run->by_event ? j->sequence : 0);
    copy_int8(b, j->epoch);
    copy_int8(b, j->control_n);
    copy_int8(b, j->attempt);
    copy_int8(b, j->line);
    copy_bool(b, j->ended);
    copy_int8(b, run->repeats);
    copy_int8(b, run->superseded);
    copy_int8(b, run->missing_lines);
}

void rows_run(struct buf *b, const struct run_row *run)
{
    copy_row(b, RUN_FIELDS);
    copy_uuid(b, run->id);
    copy_date(b, run->day_ms);
    copy_text(b, run->tenant);
    copy_text(b, run->batch_id);
    copy_text(b, run->custom_id);
    request_fields(b, run);
    copy_text(b, run->model);
    event_fields(b, run);
    memory_fields(b, run);
}

void rows_attempt(struct buf *b, const struct run_row *run, const struct attempt_row *a)
{
    copy_row(b, ATTEMPT_FIELDS);
    copy_uuid(b, run->id);
    copy_int4(b, (int32_t)a->attempt);
    copy_text(b, str_of(attempt_state_name(a->state)));
    copy_text(b, a->worker);
    copy_text(b, a->sandbox);
    copy_text(b, a->model);
    copy_text(b, a->claude_version);
    copy_text(b, a->outcome);
    copy_text(b, a->reason);
    if (a->has_exit_code && a->exit_code >= INT32_MIN && a->exit_code <= INT32_MAX)
        copy_int4(b, (int32_t)a->exit_code);
    else
        copy_null(b);
    copy_int8(b, a->lines);
    copy_int8(b, a->bytes);
    copy_float8(b, a->cost_usd);
    copy_timestamptz_or_null(b, a->starting_ms);
    copy_timestamptz_or_null(b, a->started_ms);
    copy_timestamptz_or_null(b, a->ended_ms);
}

/* For people to read: what jsonb refuses is U+FFFD here, too. The value stays exact. */
static void headers(struct buf *b, const struct kafka_record *r)
{
    AUTO_BUF json = BUF_INIT(b->max);

    buf_addc(&json, '{');
    for (size_t i = 0; i < r->n_headers; i++) {
        if (i)
            buf_addc(&json, ',');
        json_put_string(&json, str_of(r->headers[i].name));
        buf_addc(&json, ':');
        json_put_string(&json, r->headers[i].value);
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

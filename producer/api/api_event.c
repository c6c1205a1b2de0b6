/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_event.h"

#include "common/json/json.h"
#include "common/banned.h"

enum { MEMBERS = 24 };

static struct str bare(struct str quoted)
{
    return quoted.n >= 2 && *quoted.p == '"' ? (struct str){quoted.p + 1, quoted.n - 2}
                                             : (struct str){0};
}

enum err_code api_event_read(struct str json, struct event_view *out, int64_t *sequence,
                             struct err *err)
{
    struct json_member m[MEMBERS];
    struct json_scan scan;
    struct event *e = &out->event;
    size_t n;

    *out = (struct event_view){.event = {.type = EVENT_AGENT_OTHER}};
    if (json_scan(json, m, MEMBERS, &scan, err) != ERR_OK || !scan.is_object)
        return err_set(err, ERR_PROTOCOL, "the API sent an event that is no JSON object");
    n = scan.n_members < MEMBERS ? scan.n_members : MEMBERS;
    out->type_text = bare(json_member(m, n, "type"));
    e->data = json_member(m, n, "data");
    if (!str_int(json_member(m, n, "sequence"), INT64_MAX, sequence) || out->type_text.n == 0 ||
        e->data.n == 0)
        return err_set(err, ERR_PROTOCOL, "the API sent an event without sequence, type or data");
    out->known_type = event_type_parse(out->type_text, &e->type);
    if (!out->known_type && json_member(m, n, "line").n && *json_member(m, n, "line").p == 'n')
        e->type = EVENT_AGENT_STDERR; /* no line: as event_read() does */
    str_int(json_member(m, n, "attempt"), INT32_MAX, &e->attempt);
    str_int(json_member(m, n, "epoch"), INT32_MAX, &e->epoch);
    str_int(json_member(m, n, "line"), INT64_MAX, &e->n);
    clock_parse_rfc3339(bare(json_member(m, n, "time")), &e->time_ms);
    return ERR_OK;
}

static void put_text(struct buf *b, const char *key, struct str s)
{
    if (s.n)
        json_kv_str(b, key, s);
    else
        json_kv_raw(b, key, STR("null"));
}

static void put_int(struct buf *b, const char *key, int64_t n, bool there)
{
    if (there)
        json_kv_int(b, key, n);
    else
        json_kv_raw(b, key, STR("null"));
}

void api_event_write(const struct event_view *v, int64_t sequence, struct buf *out)
{
    const struct event *e = &v->event;
    char time[CLOCK_TEXT];

    buf_addc(out, '{');
    json_kv_int(out, "sequence", sequence);
    json_kv_str(out, "type", v->type_text);
    json_kv(out, "time", clock_rfc3339(e->time_ms, time));
    json_kv_int(out, "attempt", e->attempt);
    json_kv_int(out, "epoch", e->epoch);
    put_int(out, "line", e->n, event_is_line(e->type));
    put_text(out, "tool", e->tool);
    put_text(out, "model", e->model);
    put_int(out, "input_tokens", e->input_tokens, e->input_tokens > 0);
    put_int(out, "output_tokens", e->output_tokens, e->output_tokens > 0);
    if (e->cost_usd > 0)
        json_kv_num(out, "cost_usd", e->cost_usd);
    else
        json_kv_raw(out, "cost_usd", STR("null"));
    json_kv_raw(out, "data", e->data);
    buf_addc(out, '}');
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path. Each attribute is written once, into the value; since none needs an
 * escape, its header is a view of the same bytes. */
#include "schema/event.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schema/event_attr.h"
#include "schema/run_request.h"
#include "common/banned.h"

struct cursor {
    char *p;
    struct event_record *out;
};

static void put(struct cursor *c, struct str s)
{
    memcpy(c->p, s.p, s.n);
    c->p += s.n;
}

static void put_number(struct cursor *c, int64_t n)
{
    char digits[20], *d = digits + sizeof(digits);

    assert(n >= 0);
    do
        *--d = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    put(c, (struct str){d, (size_t)(digits + sizeof(digits) - d)});
}

static void add_header(struct event_record *out, const char *name, struct str value)
{
    assert(out->n_headers < EVENT_HEADERS);
    out->headers[out->n_headers++] = (struct kafka_header){.name = name, .value = value};
}

static void open_attr(struct cursor *c, enum event_attr a)
{
    put(c, event_attrs[a].key);
    add_header(c->out, event_attrs[a].header, (struct str){c->p, 0});
}

static void close_attr(struct cursor *c, enum event_attr a)
{
    struct str *value = &c->out->headers[c->out->n_headers - 1].value;

    value->n = (size_t)(c->p - value->p);
    if (event_attrs[a].quoted)
        *c->p++ = '"';
}

static void attr(struct cursor *c, enum event_attr a, struct str s)
{
    if (s.n == 0)
        return;
    open_attr(c, a);
    put(c, s);
    close_attr(c, a);
}

static void attr_number(struct cursor *c, enum event_attr a, int64_t n)
{
    open_attr(c, a);
    put_number(c, n);
    close_attr(c, a);
}

/* --- what may be written ------------------------------------------------------ */

/* Also keeps out what JSON would have to escape. */
static struct str filterable(struct str s)
{
    bool ok = s.n <= RUN_NAME_MAX_BYTES;

    for (size_t i = 0; ok && i < s.n; i++)
        ok = s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\';
    return ok ? s : (struct str){0};
}

static bool optional_name_ok(const char *s)
{
    return !s || run_name_ok(str_of(s));
}

static bool in_range(int64_t n, int64_t least, int64_t most)
{
    return n >= least && n <= most;
}

static enum err_code refuse(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "event: %s", what);
}

static enum err_code check_run(const struct event_run *run, struct err *err)
{
    if (!uuid_valid(str_of(run->run_id)))
        return refuse(err, "run_id is not a UUID");
    if (!run_name_ok(str_of(run->tenant)))
        return refuse(err, "tenant is not a name");
    if (!optional_name_ok(run->batch_id) || !optional_name_ok(run->custom_id))
        return refuse(err, "batch_id or custom_id is not a name");
    if (run->traceparent && !run_traceparent_ok(str_of(run->traceparent)))
        return refuse(err, "traceparent is not one");
    if (!in_range(run->created_ms, 0, EVENT_TIME_MAX))
        return refuse(err, "created_ms is out of range");
    return ERR_OK;
}

static enum err_code check_event(const struct event *e, struct err *err)
{
    if (!in_range(e->attempt, 0, INT32_MAX) || !in_range(e->epoch, 1, INT32_MAX) ||
        !in_range(e->n, 1, EVENT_NUMBER_MAX) || !in_range(e->offset, 0, EVENT_NUMBER_MAX) ||
        !in_range(e->time_ms, 0, EVENT_TIME_MAX))
        return refuse(err, "attempt, epoch, number, offset or time is out of range");
    if (e->data.n > EVENT_DATA_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "event: data has %zu bytes, at most %d are allowed",
                       e->data.n, EVENT_DATA_MAX_BYTES);
    if (e->data.n < 2 || e->data.p[0] != '{' || e->data.p[e->data.n - 1] != '}')
        return refuse(err, "data is not an object");
    return ERR_OK;
}

/* --- the attributes ----------------------------------------------------------- */

static void put_id(struct cursor *c, const struct event_run *run, const struct event *e)
{
    open_attr(c, ATTR_ID);
    put(c, str_of(run->run_id));
    *c->p++ = '.';
    put_number(c, e->attempt);
    *c->p++ = '.';
    if (event_is_line(e->type)) {
        *c->p++ = 'l';
    } else {
        *c->p++ = 'c';
        put_number(c, e->epoch);
        *c->p++ = '-';
    }
    put_number(c, e->n);
    close_attr(c, ATTR_ID);
}

static void put_source(struct cursor *c, const struct event_run *run)
{
    open_attr(c, ATTR_SOURCE);
    put(c, STR("/tenants/"));
    put(c, str_of(run->tenant));
    put(c, STR("/runs/"));
    put(c, str_of(run->run_id));
    close_attr(c, ATTR_SOURCE);
}

/* CloudEvents integers have 32 bits; who claims more tokens in one line is lying. */
static void put_tokens(struct cursor *c, enum event_attr a, int64_t n)
{
    if (n > 0)
        attr_number(c, a, n < INT32_MAX ? n : INT32_MAX);
}

static void put_cost(struct cursor *c, double usd)
{
    char text[32];

    if (!(usd > 0) || usd > (double)EVENT_COST_MAX)
        return;
    (void)snprintf(text, sizeof(text), "%.10g", usd);
    attr(c, ATTR_COSTUSD, str_of(text));
}

static void put_times(struct cursor *c, const struct event *e)
{
    char text[CLOCK_TEXT];
    struct str time = str_of(clock_rfc3339(e->time_ms, text));

    attr(c, ATTR_TIME, time);
    attr(c, ATTR_RECORDEDTIME, time);
}

static void put_run(struct cursor *c, const struct event_run *run)
{
    char text[CLOCK_TEXT];

    attr(c, ATTR_TENANT, str_of(run->tenant));
    attr(c, ATTR_RUNID, str_of(run->run_id));
    attr(c, ATTR_RUNDAY, str_of(clock_day(run->created_ms, text)));
    attr(c, ATTR_BATCHID, str_of(run->batch_id));
    attr(c, ATTR_CUSTOMID, str_of(run->custom_id));
}

static void put_numbers(struct cursor *c, const struct event *e)
{
    attr_number(c, ATTR_ATTEMPT, e->attempt);
    attr_number(c, ATTR_EPOCH, e->epoch);
    attr_number(c, ATTR_SEQUENCE, e->n);
    if (event_is_line(e->type))
        attr_number(c, ATTR_LOGOFFSET, e->offset);
}

static void put_columns(struct cursor *c, const struct event *e)
{
    attr(c, ATTR_TOOL, filterable(e->tool));
    attr(c, ATTR_MODEL, filterable(e->model));
    put_tokens(c, ATTR_INPUTTOKENS, e->input_tokens);
    put_tokens(c, ATTR_OUTPUTTOKENS, e->output_tokens);
    put_cost(c, e->cost_usd);
}

static void put_envelope(struct cursor *c, const struct event_run *run, const struct event *e)
{
    attr(c, ATTR_SPECVERSION, STR(EVENT_SPECVERSION));
    put_id(c, run, e);
    put_source(c, run);
    attr(c, ATTR_TYPE, str_of(event_type_name(e->type)));
    put_times(c, e);
    put_run(c, run);
    put_numbers(c, e);
    put_columns(c, e);
    attr(c, ATTR_TRACEPARENT, str_of(run->traceparent));
    put(c, STR(",\"datacontenttype\":\"application/json\""));
}

/* --- the record --------------------------------------------------------------- */

void event_record_init(struct event_record *r)
{
    *r = (struct event_record){.value = BUF_INIT(EVENT_MAX_BYTES)};
}

void event_record_release(struct event_record *r)
{
    buf_release(&r->value);
    r->n_headers = 0;
}

enum err_code event_write(const struct event_run *run, const struct event *e,
                          struct event_record *out, struct err *err)
{
    struct cursor c = {.out = out};
    enum err_code rc = check_run(run, err);
    char *start;

    if (rc == ERR_OK)
        rc = check_event(e, err);
    if (rc != ERR_OK)
        return rc;
    buf_clear(&out->value);
    out->n_headers = 0;
    start = c.p = buf_room(&out->value, EVENT_ENVELOPE_MAX + e->data.n);
    if (!start)
        return err_set(err, ERR_NOMEM, "event record of %zu bytes", e->data.n);
    add_header(out, "content-type", STR(EVENT_CONTENT_TYPE));
    put_envelope(&c, run, e);
    *start = '{'; /* where the first attribute put its comma */
    put(&c, STR(EVENT_DATA_KEY));
    put(&c, e->data);
    *c.p++ = '}';
    buf_grew(&out->value, (size_t)(c.p - start));
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An event back from its record's value: each attribute is checked for what it may say. */
#include "schema/event.h"

#include <stdlib.h>
#include <string.h>

#include "schema/event_attr.h"
#include "schema/run_request.h"
#include "common/banned.h"

static enum err_code malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "malformed: %s", what);
}

/* --- values ------------------------------------------------------------------- */

/* As we write it, so that one record has one id: digits, no zeros in front. */
static bool parse_number(struct str s, int64_t least, int64_t most, int64_t *out)
{
    return !(s.n > 1 && s.p[0] == '0') && str_int(s, most, out) && *out >= least;
}

static bool parse_cost(struct str s, double *out)
{
    char text[32], *end;

    if (s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *out = strtod(text, &end);
    return strspn(text, "0123456789.e-+") == s.n && end == text + s.n && *out >= 0 &&
           *out <= (double)EVENT_COST_MAX;
}

static bool parse_day(struct str s, int64_t *day_ms)
{
    char text[] = "0000-00-00T00:00:00Z";

    if (s.n != 10)
        return false;
    memcpy(text, s.p, s.n);
    return clock_parse_rfc3339(str_of(text), day_ms) && *day_ms >= 0;
}

static bool parse_time(struct str s, int64_t *ms)
{
    return clock_parse_rfc3339(s, ms) && *ms >= 0 && *ms <= EVENT_TIME_MAX;
}

/* Numbers and where they go. */
static const struct number {
    enum event_attr attr;
    size_t at;
    int64_t least, most;
} numbers[] = {
    {ATTR_ATTEMPT, offsetof(struct event, attempt), 0, INT32_MAX},
    {ATTR_EPOCH, offsetof(struct event, epoch), 1, INT32_MAX},
    {ATTR_SEQUENCE, offsetof(struct event, n), 1, EVENT_NUMBER_MAX},
    {ATTR_LOGOFFSET, offsetof(struct event, offset), 0, EVENT_NUMBER_MAX},
    {ATTR_INPUTTOKENS, offsetof(struct event, input_tokens), 0, INT32_MAX},
    {ATTR_OUTPUTTOKENS, offsetof(struct event, output_tokens), 0, INT32_MAX},
};

static enum err_code read_numbers(const struct event_envelope *in, struct event *e, struct err *err)
{
    for (size_t i = 0; i < COUNTOF(numbers); i++) {
        const struct number *n = &numbers[i];
        struct str s = in->attr[n->attr];

        if (s.p && !parse_number(s, n->least, n->most, (int64_t *)(void *)((char *)e + n->at)))
            return event_bad_attribute(err, event_attrs[n->attr].name,
                                       "is not a number in its range");
    }
    if (in->attr[ATTR_COSTUSD].p && !parse_cost(in->attr[ATTR_COSTUSD], &e->cost_usd))
        return event_bad_attribute(err, event_attrs[ATTR_COSTUSD].name,
                                   "is not an amount of US dollars");
    return ERR_OK;
}

static enum err_code read_times(const struct event_envelope *in, struct event_view *v,
                                struct err *err)
{
    if (!parse_time(in->attr[ATTR_TIME], &v->event.time_ms))
        return event_bad_attribute(err, event_attrs[ATTR_TIME].name, "is not an RFC 3339 time");
    if (!parse_day(in->attr[ATTR_RUNDAY], &v->created_day_ms))
        return event_bad_attribute(err, event_attrs[ATTR_RUNDAY].name, "is not a day");
    return ERR_OK;
}

static bool type_ok(struct str s)
{
    if (s.n > RUN_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
              s.p[i] == '.' || s.p[i] == '_'))
            return false;
    return true;
}

static bool column_ok(struct str s)
{
    return s.n <= RUN_NAME_MAX_BYTES && !memchr(s.p, 0x7f, s.n); /* other controls are no JSON */
}

/* Texts and their rules. */
static const struct {
    enum event_attr attr;
    bool (*ok)(struct str s);
    const char *what;
} texts[] = {
    {ATTR_TYPE, type_ok, "is not an event type"},
    {ATTR_RUNID, uuid_valid, "is not a UUID"},
    {ATTR_TENANT, run_name_ok, "is not a name"},
    {ATTR_BATCHID, run_name_ok, "is not a name"},
    {ATTR_CUSTOMID, run_name_ok, "is not a name"},
    {ATTR_TOOL, column_ok, "is too long, or no plain text"},
    {ATTR_MODEL, column_ok, "is too long, or no plain text"},
    {ATTR_TRACEPARENT, run_traceparent_ok, "is not a trace context"},
};

static enum err_code check_texts(const struct event_envelope *in, struct err *err)
{
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        struct str s = in->attr[texts[i].attr];

        if (s.p && !texts[i].ok(s))
            return event_bad_attribute(err, event_attrs[texts[i].attr].name, texts[i].what);
    }
    return ERR_OK;
}

/* --- the id: {run}.{attempt}.l{line} or {run}.{attempt}.c{epoch}-{n} ---------- */

static bool id_part(struct str *rest, char sep, int64_t want)
{
    struct str part;
    int64_t n;

    return str_next(rest, sep, &part) && parse_number(part, 0, EVENT_NUMBER_MAX, &n) && n == want;
}

/* Says of an unknown type whether it is a line; of a known one whether it lies. */
static bool id_matches(const struct event_view *v, bool *is_line)
{
    const struct event *e = &v->event;
    struct str rest = v->id, run;

    if (!str_next(&rest, '.', &run) || !str_eq(run, v->run_id) || !id_part(&rest, '.', e->attempt))
        return false;
    *is_line = rest.n > 0 && rest.p[0] == 'l';
    if (rest.n < 2 || (!*is_line && rest.p[0] != 'c'))
        return false;
    rest = (struct str){rest.p + 1, rest.n - 1};
    if (!*is_line && !id_part(&rest, '-', e->epoch))
        return false;
    return id_part(&rest, '-', e->n) && !rest.p;
}

static enum err_code read_kind(struct event_view *v, struct err *err)
{
    bool is_line;

    if (!id_matches(v, &is_line))
        return event_bad_attribute(err, event_attrs[ATTR_ID].name,
                                   "does not say what the other attributes say");
    v->known_type = event_type_parse(v->type_text, &v->event.type);
    if (!v->known_type)
        v->event.type = is_line ? EVENT_AGENT_OTHER : EVENT_AGENT_STDERR;
    else if (event_is_line(v->event.type) != is_line)
        return event_bad_attribute(err, event_attrs[ATTR_ID].name,
                                   "is of the other stream than the type");
    return ERR_OK;
}

/* --- the record --------------------------------------------------------------- */

static enum err_code check_value(struct str value, struct err *err)
{
    if (value.n == 0)
        return malformed(err, "the record has no value");
    if (value.n > EVENT_MAX_BYTES)
        return malformed(err, "the value is over the ceiling of an event record");
    if (value.p[0] != '{' || value.p[value.n - 1] != '}')
        return malformed(err, "the value is not a JSON object");
    return ERR_OK;
}

static void fill(struct event_view *v, const struct event_envelope *in)
{
    v->id = in->attr[ATTR_ID];
    v->type_text = in->attr[ATTR_TYPE];
    v->tenant = in->attr[ATTR_TENANT];
    v->run_id = in->attr[ATTR_RUNID];
    v->batch_id = in->attr[ATTR_BATCHID];
    v->custom_id = in->attr[ATTR_CUSTOMID];
    v->event.tool = in->attr[ATTR_TOOL];
    v->event.model = in->attr[ATTR_MODEL];
    v->event.data = in->data;
}

enum err_code event_read(struct str key, struct str value, struct event_view *out, struct err *err)
{
    struct event_envelope in;
    enum err_code rc;

    *out = (struct event_view){0};
    if ((rc = check_value(value, err)) != ERR_OK ||
        (rc = event_envelope_read(value, &in, err)) != ERR_OK ||
        (rc = check_texts(&in, err)) != ERR_OK ||
        (rc = read_numbers(&in, &out->event, err)) != ERR_OK ||
        (rc = read_times(&in, out, err)) != ERR_OK)
        return rc;
    fill(out, &in);
    if (!str_eq(key, out->run_id))
        return malformed(err, "the record's key is not its run id");
    return read_kind(out, err);
}

struct str event_reason(const struct err *err)
{
    static const struct str reasons[] = {
        {"missing_attribute", 17}, {"bad_attribute", 13}, {"unsupported_version", 19}};

    for (size_t i = 0; i < COUNTOF(reasons); i++)
        if (str_starts(str_of(err->msg), reasons[i].p))
            return reasons[i];
    return STR("malformed");
}

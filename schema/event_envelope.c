/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of an event, which stand in its value before the data. One pass: names in the
 * order in which we write them are found at once, others are looked for, unknown ones passed. */
#include "schema/event_attr.h"

#include <string.h>

#include "common/json/json_escape.h"
#include "common/utf8.h"
#include "common/banned.h"

enum { ATTR_MAX_BYTES = 512 };

struct reader {
    const char *p, *end;
};

enum err_code event_bad_attribute(struct err *err, struct str name, const char *what)
{
    return err_set(err, ERR_INVALID, "bad_attribute: " STR_FMT " %s", STR_ARG(name), what);
}

static enum err_code no_event(struct err *err)
{
    return err_set(err, ERR_INVALID, "malformed: the value is not an event's JSON object");
}

/* --- values ------------------------------------------------------------------- */

/* From behind the opening quote to behind the closing one. What we write needs no escape. */
static bool plain_text(struct reader *r, struct str *out)
{
    out->p = r->p;
    for (;;) {
        r->p = json_skip_plain(r->p, r->end);
        if (r->p == r->end)
            return false;
        if (*r->p == '"') {
            out->n = (size_t)(r->p++ - out->p);
            return out->n > 0 && out->n <= ATTR_MAX_BYTES;
        }
        size_t n = (unsigned char)*r->p < 0x80 ? 0 : utf8_len(r->p, r->end);
        if (n == 0)
            return false;
        r->p += n;
    }
}

static bool digits(struct reader *r, struct str *out)
{
    out->p = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    out->n = (size_t)(r->p - out->p);
    return out->n > 0;
}

/* Behind a string that nobody reads, escapes and all. */
static bool skip_text(struct reader *r)
{
    while (r->p < r->end && *r->p != '"')
        r->p += *r->p == '\\' && r->end - r->p > 1 ? 2 : 1;
    return r->p++ < r->end;
}

/* Behind a member that a newer program added: attributes are texts, numbers or truths. */
static bool skip_unknown(struct reader *r)
{
    if (*r->p++ != '"' || !skip_text(r) || r->p >= r->end || *r->p++ != ':' || r->p >= r->end)
        return false;
    if (*r->p == '"') {
        r->p++;
        return skip_text(r);
    }
    if (*r->p == '{' || *r->p == '[')
        return false;
    while (r->p < r->end && *r->p != ',')
        r->p++;
    return r->p < r->end;
}

/* --- members ------------------------------------------------------------------ */

/* Does this key stand here? A brace stands where the first one would have its comma. */
static bool stands(const struct reader *r, struct str key)
{
    return (size_t)(r->end - r->p) >= key.n && memcmp(r->p + 1, key.p + 1, key.n - 1) == 0;
}

static bool find_attr(const struct reader *r, size_t *hint)
{
    for (size_t i = 0; i < EVENT_ATTRS; i++) {
        size_t a = (*hint + i) % EVENT_ATTRS;

        if (stands(r, event_attrs[a].key)) {
            *hint = a;
            return true;
        }
    }
    return false;
}

static enum err_code read_attr(struct reader *r, size_t a, struct event_envelope *out,
                               struct err *err)
{
    const struct event_attr_row *row = &event_attrs[a];
    struct str value;

    r->p += row->key.n;
    if (!(row->quoted ? plain_text(r, &value) : digits(r, &value)))
        return event_bad_attribute(
            err, row->name, row->quoted ? "is not plain text" : "is not a number in its range");
    if (out->attr[a].p)
        return event_bad_attribute(err, row->name, "stands twice");
    out->attr[a] = value;
    return ERR_OK;
}

/* The last member: from its object's brace to the one before the value's own. */
static enum err_code read_data(const struct reader *r, struct event_envelope *out, struct err *err)
{
    const char *from = r->p + sizeof(EVENT_DATA_KEY) - 1, *to = r->end - 1;

    if (to - from < 2 || *from != '{' || to[-1] != '}')
        return err_set(err, ERR_INVALID, "malformed: data is not an object at the value's end");
    out->data = (struct str){from, (size_t)(to - from)};
    return ERR_OK;
}

static enum err_code check_required(const struct event_envelope *e, struct err *err)
{
    for (size_t a = 0; a < EVENT_ATTRS; a++)
        if (event_attrs[a].required && !e->attr[a].p)
            return err_set(err, ERR_INVALID, "missing_attribute: " STR_FMT,
                           STR_ARG(event_attrs[a].name));
    if (!str_is(e->attr[ATTR_SPECVERSION], EVENT_SPECVERSION))
        return err_set(err, ERR_INVALID, "unsupported_version: specversion is not 1.0");
    return ERR_OK;
}

enum err_code event_envelope_read(struct str value, struct event_envelope *out, struct err *err)
{
    static const struct str data = {EVENT_DATA_KEY, sizeof(EVENT_DATA_KEY) - 1};
    struct reader r = {value.p, value.p + value.n};
    size_t a = 0;

    *out = (struct event_envelope){0};
    for (; r.end - r.p > 2 && *r.p == (r.p == value.p ? '{' : ','); a = (a + 1) % EVENT_ATTRS) {
        if (stands(&r, event_attrs[a].key) || (!stands(&r, data) && find_attr(&r, &a))) {
            if (read_attr(&r, a, out, err) != ERR_OK)
                return err->code;
        } else if (stands(&r, data)) {
            return read_data(&r, out, err) == ERR_OK ? check_required(out, err) : err->code;
        } else {
            r.p++;
            if (!skip_unknown(&r))
                return no_event(err);
        }
    }
    if (value.n == 2 && *r.p == '{')
        return check_required(out, err); /* "{}" lacks all of them */
    return no_event(err);
}

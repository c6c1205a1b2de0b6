/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of an event record, found and checked for what text may be. */
#include "schema/event_attr.h"

#include <string.h>

#include "common/banned.h"

enum { HEADER_MAX = 512 };

enum err_code event_bad_header(struct err *err, const char *header, const char *what)
{
    return err_set(err, ERR_INVALID, "bad_header: %s %s", header, what);
}

/* The attribute of this header; `hint` is tried first, since the order is ours. */
static bool find_attr(const char *name, size_t hint, size_t *out)
{
    if (strncmp(name, "ce_", 3) != 0)
        return false;
    for (size_t i = 0; i < EVENT_ATTRS; i++) {
        size_t a = (hint + i) % EVENT_ATTRS;

        if (strcmp(name, event_attrs[a].header) == 0) {
            *out = a;
            return true;
        }
    }
    return false;
}

/* No control bytes: neither a log nor a text column would take them. */
static bool is_plain(struct str s)
{
    if (s.n == 0 || s.n > HEADER_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return str_utf8(s, NULL);
}

static enum err_code collect(const struct kafka_record *r, struct event_headers *out,
                             struct err *err)
{
    size_t a = 0;

    for (size_t i = 0; i < r->n_headers; i++) {
        const struct kafka_header *h = &r->headers[i];
        bool is_attr = find_attr(h->name, a, &a);
        struct str *slot = is_attr ? &out->attr[a] : &out->data_at;

        if (!is_attr && strcmp(h->name, EVENT_DATA_AT) != 0)
            continue;
        if (slot->p)
            return event_bad_header(err, is_attr ? event_attrs[a].header : EVENT_DATA_AT,
                                    "stands twice");
        if (!is_plain(h->value))
            return event_bad_header(err, is_attr ? event_attrs[a].header : EVENT_DATA_AT,
                                    "is not plain text");
        *slot = h->value;
        a += is_attr;
    }
    return ERR_OK;
}

static enum err_code check_required(const struct event_headers *h, struct err *err)
{
    for (size_t a = 0; a < EVENT_ATTRS; a++)
        if (event_attrs[a].required && !h->attr[a].p)
            return err_set(err, ERR_INVALID, "missing_header: %s", event_attrs[a].header);
    if (!h->data_at.p)
        return err_set(err, ERR_INVALID, "missing_header: " EVENT_DATA_AT);
    if (!str_is(h->attr[ATTR_SPECVERSION], EVENT_SPECVERSION))
        return err_set(err, ERR_INVALID, "unsupported_version: ce_specversion is not 1.0");
    return ERR_OK;
}

enum err_code event_headers_read(const struct kafka_record *r, struct event_headers *out,
                                 struct err *err)
{
    enum err_code rc;

    *out = (struct event_headers){0};
    rc = collect(r, out, err);
    return rc == ERR_OK ? check_required(out, err) : rc;
}

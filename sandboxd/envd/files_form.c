/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_form.h"

#include <stdio.h>
#include <string.h>

#include "common/percent.h"

#include "common/banned.h"

enum { PREAMBLE, BEHIND, HEADERS, BODY, DONE, BAD }; /* BEHIND: a delimiter */
enum { VALUE_MAX = 8 << 10, BEHIND_MAX = 64 };

/* --- a header's parameters ---------------------------------------------------------- */

static bool is_special(char c)
{
    return strchr("()<>@,;:\\\"/[]?=", c) != NULL && c != '\0';
}

/* A value, quoted or not; false: damaged. A backslash stands for itself before what needs
 * no escape, as in the file names that some clients send, or everywhere. */
static bool take_value(struct str *s, bool escapes, struct buf *out)
{
    bool quoted = s->n > 0 && s->p[0] == '"';
    size_t i = quoted ? 1 : 0;

    while (i < s->n && (quoted ? s->p[i] != '"' : s->p[i] != ';')) {
        if (quoted && escapes && s->p[i] == '\\' && i + 1 < s->n && is_special(s->p[i + 1]))
            i++;
        buf_addc(out, s->p[i++]);
    }
    if (quoted && i == s->n)
        return false;
    i += quoted;
    *s = (struct str){s->p + i, s->n - i};
    return out->rc == ERR_OK;
}

/* The next `; name=value`; false: none left, or *bad. */
static bool next_param(struct str *s, bool escapes, struct str *name, struct buf *value, bool *bad)
{
    *s = str_trim(*s);
    while (s->n > 0 && s->p[0] == ';')
        *s = str_trim((struct str){s->p + 1, s->n - 1});
    if (s->n == 0)
        return false;
    const char *eq = memchr(s->p, '=', s->n);
    buf_clear(value);
    *bad = eq == NULL;
    if (*bad)
        return false;
    *name = str_trim((struct str){s->p, (size_t)(eq - s->p)});
    *s = str_trim(
        (struct str){eq + 1, s->n - name->n - (size_t)(eq - s->p - (ptrdiff_t)name->n) - 1});
    *bad = !take_value(s, escapes, value);
    return !*bad;
}

static bool is_name(struct str s, const char *lower)
{
    return s.n == strlen(lower) && strncasecmp(s.p, lower, s.n) == 0;
}

/* "utf-8''a%20b" */
static void put_extended(struct buf *out, struct str value)
{
    struct str charset, language;

    buf_clear(out);
    if (str_next(&value, '\'', &charset) && str_next(&value, '\'', &language))
        (void)!percent_decode(value, false, out, NULL);
}

static bool read_disposition(struct form *f, struct str value, bool escapes)
{
    AUTO_BUF text = BUF_INIT(VALUE_MAX);
    struct str name, kind;
    bool bad = false, extended = false;

    buf_clear(&f->name);
    buf_clear(&f->file);
    f->has_file = false;
    if (!str_next(&value, ';', &kind))
        return true;
    while (next_param(&value, escapes, &name, &text, &bad)) {
        bool better = is_name(name, "filename*");

        if (is_name(name, "name")) {
            buf_clear(&f->name);
            buf_addstr(&f->name, buf_str(&text));
        } else if (better || (is_name(name, "filename") && !extended)) {
            f->has_file = true;
            extended = better;
            buf_clear(&f->file);
            if (better)
                put_extended(&f->file, buf_str(&text));
            else
                buf_addstr(&f->file, buf_str(&text));
        }
    }
    return !bad;
}

static bool read_headers(struct form *f)
{
    struct str rest = buf_str(&f->headers), line, name;

    (void)read_disposition(f, STR(""), true);
    while (str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        if (!str_next(&line, ':', &name) || !is_name(str_trim(name), "content-disposition"))
            continue;
        /* browsers escape no backslash: a name may end in one */
        if (!read_disposition(f, str_trim(line), true) &&
            !read_disposition(f, str_trim(line), false))
            return false;
    }
    return f->name.rc == ERR_OK && f->file.rc == ERR_OK;
}

/* --- the boundary ------------------------------------------------------------------- */

enum err_code form_init(struct form *f, const char *content_type, struct err *err)
{
    AUTO_BUF value = BUF_INIT(FORM_BOUNDARY_MAX + 1);
    struct str rest = str_of(content_type), name, kind;
    bool bad = false;

    *f = (struct form){.headers = BUF_INIT(FORM_HEADERS_MAX),
                       .name = BUF_INIT(VALUE_MAX),
                       .file = BUF_INIT(VALUE_MAX)};
    if (!str_next(&rest, ';', &kind) || !is_name(str_trim(kind), "multipart/form-data"))
        return err_set(err, ERR_INVALID, "request Content-Type isn't multipart/form-data");
    while (next_param(&rest, true, &name, &value, &bad)) {
        if (!is_name(name, "boundary") || value.len == 0 || value.len > FORM_BOUNDARY_MAX ||
            memchr(value.p, '\r', value.len) != NULL)
            continue;
        (void)snprintf(f->delimiter, sizeof(f->delimiter), "\r\n--%s", value.p);
        f->n = strlen(f->delimiter);
        f->matched = 2; /* the first one stands at the start */
        return ERR_OK;
    }
    return err_set(err, ERR_INVALID, "no multipart boundary param in Content-Type");
}

void form_release(struct form *f)
{
    buf_release(&f->headers);
    buf_release(&f->name);
    buf_release(&f->file);
}

/* --- the states ---------------------------------------------------------------------- */

static void drop(struct str *in, size_t n)
{
    *in = (struct str){in->p + n, in->n - n};
}

static enum form_event fail(struct form *f)
{
    f->state = BAD;
    return FORM_BAD;
}

/* How many bytes are data for sure: up to where a delimiter begins, or may. */
static size_t until_delimiter(const struct form *f, struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        const char *cr = memchr(in.p + i, '\r', in.n - i);

        if (cr == NULL)
            break;
        i = (size_t)(cr - in.p);
        if (in.n - i < f->n || memcmp(cr, f->delimiter, f->n) == 0)
            return i;
    }
    return in.n;
}

/* Up to the delimiter, which no byte but its first can begin again. */
static enum form_event in_body(struct form *f, struct str *in, struct str *data)
{
    while (in->n > 0) {
        if (f->matched == 0) {
            size_t n = until_delimiter(f, *in);

            *data = (struct str){in->p, n};
            f->matched = n < in->n;
            drop(in, n + f->matched);
            if (n > 0)
                return FORM_DATA;
        } else if (in->p[0] == f->delimiter[f->matched]) {
            drop(in, 1);
            if (++f->matched < f->n)
                continue;
            f->matched = 0;
            bool was_body = f->state == BODY;
            f->state = BEHIND;
            buf_clear(&f->headers);
            return was_body ? FORM_PART_END : FORM_MORE;
        } else { /* it was data after all */
            *data = (struct str){f->delimiter, f->matched};
            f->matched = 0;
            return FORM_DATA;
        }
    }
    return FORM_MORE;
}

/* The preamble is skipped. */
static enum form_event in_preamble(struct form *f, struct str *in)
{
    struct str skipped;

    while (in->n > 0 && f->state == PREAMBLE)
        (void)in_body(f, in, &skipped);
    return FORM_MORE;
}

/* "--" ends the form, the end of the line begins a part. */
static enum form_event behind(struct form *f, struct str *in)
{
    struct str rest;

    while (in->n > 0 && f->headers.len < BEHIND_MAX) {
        buf_addc(&f->headers, in->p[0]);
        drop(in, 1);
        if (f->headers.rc != ERR_OK)
            return fail(f);
        rest = buf_str(&f->headers);
        if (str_is(rest, "--")) {
            f->state = DONE;
            return FORM_END;
        }
        if (rest.p[rest.n - 1] != '\n')
            continue;
        if (rest.n < 2 || rest.p[rest.n - 2] != '\r' || str_trim(rest).n > 0)
            return fail(f);
        f->state = HEADERS;
        buf_clear(&f->headers);
        return FORM_MORE;
    }
    return f->headers.len < BEHIND_MAX ? FORM_MORE : fail(f);
}

static enum form_event in_headers(struct form *f, struct str *in)
{
    while (in->n > 0) {
        const char *lf = memchr(in->p, '\n', in->n);
        size_t n = lf != NULL ? (size_t)(lf - in->p) + 1 : in->n;

        buf_add(&f->headers, in->p, n);
        drop(in, n);
        if (f->headers.rc != ERR_OK)
            return fail(f);
        struct str all = buf_str(&f->headers);
        bool empty = str_is(all, "\r\n");
        if (!empty && (all.n < 4 || memcmp(all.p + all.n - 4, "\r\n\r\n", 4) != 0))
            continue;
        if (!read_headers(f))
            return fail(f);
        f->state = BODY;
        f->matched = 0;
        return FORM_PART;
    }
    return FORM_MORE;
}

static enum form_event step(struct form *f, struct str *in, struct str *data)
{
    switch (f->state) {
    case PREAMBLE:
        return in_preamble(f, in);
    case BEHIND:
        return behind(f, in);
    case HEADERS:
        return in_headers(f, in);
    case BODY:
        return in_body(f, in, data);
    case DONE:
        drop(in, in->n);
        return FORM_MORE;
    }
    return fail(f);
}

enum form_event form_next(struct form *f, struct str *in, struct str *data)
{
    enum form_event e = FORM_MORE;

    while (e == FORM_MORE && in->n > 0)
        e = step(f, in, data);
    return e;
}

bool form_done(const struct form *f)
{
    return f->state == DONE;
}

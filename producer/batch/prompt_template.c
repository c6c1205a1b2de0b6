/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/prompt_template.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

struct piece {
    struct str text; /* as it stands */
    size_t name;     /* then this one's value; SIZE_MAX: none */
};

struct name {
    struct str text;
    struct template_fault at;
};

struct prompt_template {
    char *text;
    struct piece *pieces;
    size_t n_pieces, room;
    struct name names[TEMPLATE_NAMES_MAX];
    size_t n_names;
};

/* As a column may be called, "First name" and "größe" included. */
static bool name_ok(struct str s)
{
    if (s.n == 0 || s.n > TEMPLATE_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

        if (!letter && c != '_' && c < 0x80 &&
            (i == 0 || !(c == ' ' || c == '-' || c == '.' || (c >= '0' && c <= '9'))))
            return false;
    }
    return true;
}

static struct template_fault place_of(const char *text, const char *at)
{
    struct template_fault f = {.line = 1};
    const char *line = text, *stop;

    while ((stop = memchr(line, '\n', (size_t)(at - line)))) {
        line = stop + 1;
        f.line++;
    }
    f.column = at - line + 1;
    return f;
}

static bool add_piece(struct prompt_template *t, struct str text, size_t name)
{
    if (t->n_pieces == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct piece *more = realloc(t->pieces, room * sizeof(*more));

        if (!more)
            return false;
        t->pieces = more;
        t->room = room;
    }
    t->pieces[t->n_pieces++] = (struct piece){text, name};
    return true;
}

/* Which name it is; SIZE_MAX: there are too many. */
static size_t name_index(struct prompt_template *t, struct str name, const char *open)
{
    for (size_t i = 0; i < t->n_names; i++)
        if (str_eq(t->names[i].text, name))
            return i;
    if (t->n_names == TEMPLATE_NAMES_MAX)
        return SIZE_MAX;
    t->names[t->n_names] = (struct name){name, place_of(t->text, open)};
    return t->n_names++;
}

/* "{{ name }}" is what many are used to; a line's end stays a fault. */
static struct str blanks_off(struct str s)
{
    while (s.n > 0 && *s.p == ' ')
        s = (struct str){s.p + 1, s.n - 1};
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

/* The place that opens at `open` ({{): *end is behind its }}. */
static enum err_code add_place(struct prompt_template *t, struct str before, const char *open,
                               const char *stop, const char **end, struct err *err)
{
    const char *from = open + 2, *close = memmem(from, (size_t)(stop - from), "}}", 2);
    struct str name = blanks_off((struct str){from, close ? (size_t)(close - from) : 0});

    if (!close || !name_ok(name))
        return err_set(
            err, ERR_INVALID,
            "'{{' must open a {{name}}: a letter, then letters, digits, _ . - and spaces "
            "between them; write \\{{ for the two braces themselves");
    size_t i = name_index(t, name, open);
    if (i == SIZE_MAX)
        return err_set(err, ERR_TOO_BIG, "there are over %d names", TEMPLATE_NAMES_MAX);
    if (!add_piece(t, before, i))
        return err_set(err, ERR_NOMEM, "cannot keep the template");
    *end = close + 2;
    return ERR_OK;
}

static enum err_code parse(struct prompt_template *t, size_t n, struct template_fault *fault,
                           struct err *err)
{
    const char *p = t->text, *stop = p + n, *open, *from = p;

    while ((open = memmem(p, (size_t)(stop - p), "{{", 2))) {
        if (open > t->text && open[-1] == '\\') {
            if (!add_piece(t, (struct str){from, (size_t)(open - 1 - from)}, SIZE_MAX))
                return err_set(err, ERR_NOMEM, "cannot keep the template");
            from = open; /* the braces themselves are the next piece's */
            p = open + 2;
            continue;
        }
        struct str before = {from, (size_t)(open - from)};
        if (add_place(t, before, open, stop, &p, err) != ERR_OK) {
            *fault = place_of(t->text, open);
            return err->code;
        }
        from = p;
    }
    if (!add_piece(t, (struct str){from, (size_t)(stop - from)}, SIZE_MAX))
        return err_set(err, ERR_NOMEM, "cannot keep the template");
    return ERR_OK;
}

enum err_code template_parse(struct str text, struct prompt_template **out,
                             struct template_fault *fault, struct err *err)
{
    struct prompt_template *t = calloc(1, sizeof(*t));
    size_t bad_at;
    enum err_code rc;

    *fault = (struct template_fault){1, 1};
    if (t)
        t->text = str_dup(text);
    if (!t || !t->text) {
        rc = err_set(err, ERR_NOMEM, "cannot keep the template");
    } else if (text.n > TEMPLATE_MAX_BYTES) {
        rc = err_set(err, ERR_TOO_BIG, "it has %zu bytes, at most %d are allowed", text.n,
                     TEMPLATE_MAX_BYTES);
    } else if (!str_utf8((struct str){t->text, text.n}, &bad_at)) {
        *fault = place_of(t->text, t->text + bad_at);
        rc = err_set(err, ERR_INVALID, "it is not UTF-8");
    } else {
        rc = parse(t, text.n, fault, err);
    }
    if (rc != ERR_OK)
        template_free(t);
    else
        *out = t;
    return rc;
}

void template_free(struct prompt_template *t)
{
    if (!t)
        return;
    free(t->pieces);
    free(t->text);
    free(t);
}

size_t template_names(const struct prompt_template *t)
{
    return t->n_names;
}

struct str template_name(const struct prompt_template *t, size_t i)
{
    return t->names[i].text;
}

struct template_fault template_place(const struct prompt_template *t, size_t i)
{
    return t->names[i].at;
}

void template_fill(const struct prompt_template *t, const struct str *values, struct buf *out)
{
    for (size_t i = 0; i < t->n_pieces; i++) {
        buf_addstr(out, t->pieces[i].text);
        if (t->pieces[i].name != SIZE_MAX)
            buf_addstr(out, values[t->pieces[i].name]);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/template_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash64.h"
#include "producer/batch/prompt_template.h"
#include "producer/text_input.h"
#include "common/banned.h"

struct template_rows {
    const char *path;
    struct prompt_template *template;
    uint64_t hash;
    struct buf prompt, value;
    /* CSV: which column a name of the template, and custom_id, is */
    size_t columns, column_of[TEMPLATE_NAMES_MAX], custom_id_column;
};

/* --- opening ------------------------------------------------------------- */

static enum err_code load(struct template_rows *t, struct err *err)
{
    AUTO_BUF text = BUF_INIT(TEMPLATE_MAX_BYTES);
    struct template_fault at;
    struct err why = ERR_INIT;

    if (text_input_file(t->path, "the template", &text, err) != ERR_OK)
        return err->code;
    struct str s = buf_str(&text);
    if (str_starts(s, "\xef\xbb\xbf"))
        s = (struct str){s.p + 3, s.n - 3};
    t->hash = hash64(s.p, s.n, 1);
    if (template_parse(s, &t->template, &at, &why) != ERR_OK)
        return err_set(err, why.code, "%s:%lld:%lld: %s", t->path, (long long)at.line,
                       (long long)at.column, why.msg);
    return ERR_OK;
}

enum err_code template_rows_open(const char *path, struct template_rows **out, struct err *err)
{
    struct template_rows *t = calloc(1, sizeof(*t));

    if (!t)
        return err_set(err, ERR_NOMEM, "cannot open '%s'", path);
    t->path = path;
    t->prompt = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    t->value = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    if (load(t, err) != ERR_OK) {
        template_rows_close(t);
        return err->code;
    }
    *out = t;
    return ERR_OK;
}

void template_rows_close(struct template_rows *t)
{
    if (!t)
        return;
    template_free(t->template);
    buf_release(&t->prompt);
    buf_release(&t->value);
    free(t);
}

uint64_t template_rows_hash(const struct template_rows *t)
{
    return t->hash;
}

static bool fill(struct template_rows *t, const struct str *values, struct filled *out,
                 struct batch_problem *p)
{
    buf_clear(&t->prompt);
    template_fill(t->template, values, &t->prompt);
    if (t->prompt.rc != ERR_OK) {
        err_set(&p->why, t->prompt.rc, "the prompt is over %d bytes", RUN_PROMPT_MAX_BYTES);
        return false;
    }
    out->prompt = buf_str(&t->prompt);
    return true;
}

/* --- an object ----------------------------------------------------------- */

/* A member's value as text: a string decoded into t->value, a number or a word as it stands. */
static bool value_text(struct template_rows *t, struct str key, struct str raw, struct str *out,
                       struct batch_problem *p)
{
    size_t at = t->value.len;

    *out = raw;
    if (raw.n && raw.p[0] == '"') {
        if (json_unquote(raw, &t->value, &p->why) == ERR_OK && t->value.rc == ERR_OK) {
            *out = (struct str){t->value.p + at, t->value.len - at};
            return true;
        }
        err_set(&p->why, ERR_INVALID, "'" STR_FMT "' is over its ceiling", STR_ARG(key));
    } else if (raw.n == 0) {
        err_set(&p->why, ERR_INVALID, "the template's {{" STR_FMT "}} is missing", STR_ARG(key));
    } else if (raw.p[0] == '{' || raw.p[0] == '[' || str_is(raw, "null")) {
        err_set(&p->why, ERR_INVALID,
                "'" STR_FMT "' is no text: a template takes strings, numbers, true and false",
                STR_ARG(key));
    } else {
        return true;
    }
    (void)snprintf(p->pointer, sizeof p->pointer, "/" STR_FMT, STR_ARG(key));
    return false;
}

/* Nothing but what a record may have, and each member once. */
static bool row_ok(const struct look *l, struct batch_problem *p)
{
    if (!l->strict) {
        err_set(&p->why, ERR_INVALID, "it has \\u0000, half a surrogate pair, or over %d members",
                MAKER_MEMBERS);
        return false;
    }
    for (size_t i = 1; i < l->n; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(l->members[i].key, l->members[j].key)) {
                err_set(&p->why, ERR_INVALID, "the key '" STR_FMT "' comes twice",
                        STR_ARG(l->members[i].key));
                return false;
            }
    return true;
}

bool template_rows_of_object(struct template_rows *t, const struct look *l, size_t line_bytes,
                             struct filled *out, struct batch_problem *p)
{
    struct str values[TEMPLATE_NAMES_MAX];

    buf_clear(&t->value);
    (void)buf_room(&t->value, line_bytes); /* decoded texts are no longer: it will not move */
    if (!row_ok(l, p))
        return false;
    for (size_t i = 0; i < template_names(t->template); i++) {
        struct str name = template_name(t->template, i), raw = {0};

        for (size_t m = 0; m < l->n; m++)
            if (str_eq(l->members[m].key, name))
                raw = l->members[m].value;
        if (!value_text(t, name, raw, &values[i], p))
            return false;
    }
    struct str raw = json_member(l->members, l->n, "custom_id");
    out->custom_id = (struct str){0};
    if (raw.n && !value_text(t, STR("custom_id"), raw, &out->custom_id, p))
        return false;
    return fill(t, values, out, p);
}

/* --- a record ------------------------------------------------------------ */

static enum err_code no_column(const struct template_rows *t, size_t i,
                               const struct csv_record *header, const char *file, struct err *err)
{
    struct template_fault at = template_place(t->template, i);
    AUTO_BUF names = BUF_INIT(160);

    for (size_t c = 0; c < header->n; c++)
        buf_addf(&names, "%s" STR_FMT, c ? ", " : "", STR_ARG(header->fields[c]));
    return err_set(err, ERR_INVALID, "%s:%lld:%lld: '" STR_FMT "' is no column of '%s'%s" STR_FMT,
                   t->path, (long long)at.line, (long long)at.column,
                   STR_ARG(template_name(t->template, i)), file,
                   names.rc == ERR_OK ? ": it has " : "", names.rc == ERR_OK ? (int)names.len : 0,
                   names.p ? names.p : "");
}

static size_t column(const struct csv_record *header, struct str name)
{
    for (size_t i = 0; i < header->n; i++)
        if (str_eq(header->fields[i], name))
            return i;
    return SIZE_MAX;
}

enum err_code template_rows_header(struct template_rows *t, const struct csv_record *header,
                                   const char *file, int64_t line, struct err *err)
{
    t->columns = header->n;
    for (size_t i = 0; i < header->n; i++)
        if (column(header, header->fields[i]) != i)
            return err_set(err, ERR_INVALID, "%s:%lld: two columns are called '" STR_FMT "'", file,
                           (long long)line, STR_ARG(header->fields[i]));
    t->custom_id_column = column(header, STR("custom_id"));
    for (size_t i = 0; i < template_names(t->template); i++) {
        t->column_of[i] = column(header, template_name(t->template, i));
        if (t->column_of[i] == SIZE_MAX)
            return no_column(t, i, header, file, err);
    }
    return ERR_OK;
}

bool template_rows_of_record(struct template_rows *t, const struct csv_record *record,
                             struct filled *out, struct batch_problem *p)
{
    struct str values[TEMPLATE_NAMES_MAX];
    size_t at;

    if (record->n != t->columns) {
        err_set(&p->why, ERR_INVALID, "it has %zu fields, the header %zu", record->n, t->columns);
        return false;
    }
    for (size_t i = 0; i < record->n; i++)
        if (!str_utf8(record->fields[i], &at)) {
            err_set(&p->why, ERR_INVALID, "field %zu is not UTF-8 at byte %zu", i + 1, at);
            return false;
        }
    for (size_t i = 0; i < template_names(t->template); i++)
        values[i] = record->fields[t->column_of[i]];
    out->custom_id = (struct str){0};
    if (t->custom_id_column != SIZE_MAX)
        out->custom_id = record->fields[t->custom_id_column];
    return fill(t, values, out, p);
}

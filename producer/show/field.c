/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "producer/show/term_text.h"
#include "common/banned.h"

enum { CELLS_MAX = 64 << 20, VALUE_MAX = 1 << 20, PATH_PART = 64 };

/* --- values --------------------------------------------------------------------- */

static const cJSON *at(const cJSON *doc, struct str path)
{
    struct str part;
    char key[PATH_PART];

    while (doc && path.n && str_next(&path, '.', &part)) {
        snprintf(key, sizeof(key), STR_FMT, STR_ARG(part));
        doc = json_get(doc, key);
    }
    return cJSON_IsNull(doc) ? NULL : doc;
}

static const cJSON *first_of(const cJSON *doc, const char *paths)
{
    struct str rest = str_of(paths), path;
    const cJSON *v = NULL;

    while (!v && rest.n && str_next(&rest, '|', &path))
        v = at(doc, path);
    return v;
}

static void put_line(struct buf *out, const char *text)
{
    size_t from = out->len;

    term_text_safe(out, str_of(text));
    for (size_t i = from; i < out->len; i++)
        if (out->p[i] == '\n' || out->p[i] == '\t')
            out->p[i] = ' ';
}

static void put_text(struct buf *out, const cJSON *v)
{
    const cJSON *item;
    size_t from = out->len;
    char *json;

    if (cJSON_IsString(v)) {
        put_line(out, v->valuestring);
    } else if (cJSON_IsArray(v)) {
        cJSON_ArrayForEach(item, v)
        {
            buf_adds(out, out->len > from ? ", " : "");
            put_text(out, item);
        }
    } else if ((json = cJSON_PrintUnformatted(v))) {
        put_line(out, json);
        cJSON_free(json);
    }
}

static bool time_of(const cJSON *v, int64_t *ms)
{
    return cJSON_IsString(v) && clock_parse_rfc3339(str_of(v->valuestring), ms);
}

/* Durations for people: no milliseconds behind a second. */
static void put_duration(struct buf *out, int64_t ms)
{
    char text[CLOCK_TEXT];

    if (ms < 0)
        ms = 0;
    buf_adds(out, clock_duration(ms >= 10000 ? ms - ms % 1000 : ms, text));
}

static void put_span(const struct field *f, const cJSON *doc, int64_t now_ms, struct buf *out)
{
    const char *dots = strstr(f->path, "..");
    int64_t from, to = now_ms;

    if (!dots || !time_of(at(doc, (struct str){f->path, (size_t)(dots - f->path)}), &from))
        return;
    time_of(at(doc, str_of(dots + 2)), &to);
    put_duration(out, to - from);
}

/* Whatever a server says. */
static int64_t whole(double n)
{
    const double most = 9007199254740992.0; /* 2^53 */

    return n >= most ? (int64_t)most : n <= -most ? (int64_t)-most : (int64_t)n;
}

static void put_number(const struct field *f, const cJSON *v, struct buf *out)
{
    char text[RENDER_NUMBER];
    double n = cJSON_IsNumber(v) ? v->valuedouble : 0;

    if (f->kind == FIELD_USD)
        buf_adds(out, render_cost(n, text));
    else if (f->kind == FIELD_BYTES)
        buf_adds(out, render_bytes(whole(n), text));
    else if (f->kind == FIELD_COUNT)
        buf_adds(out, render_count(whole(n), text));
    else
        put_duration(out, whole(f->kind == FIELD_S ? 1000 * n : n));
}

void field_text(const struct field *f, const cJSON *doc, int64_t now_ms, struct buf *out)
{
    const cJSON *v = f->kind == FIELD_SPAN ? NULL : first_of(doc, f->path);
    int64_t ms;

    if (f->kind == FIELD_SPAN)
        return put_span(f, doc, now_ms, out);
    if (!v)
        return;
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_TIME:
        return put_text(out, v);
    case FIELD_COUNT:
    case FIELD_USD:
    case FIELD_BYTES:
    case FIELD_MS:
    case FIELD_S:
        return put_number(f, v, out);
    case FIELD_AGO:
        if (time_of(v, &ms))
            put_duration(out, now_ms - ms);
        return;
    case FIELD_YES:
        buf_adds(out, cJSON_IsTrue(v) ? "yes" : "no");
        return;
    case FIELD_SPAN:
        break;
    }
}

/* --- details -------------------------------------------------------------------- */

static void put_rows(struct buf *out, struct str value, int indent, int columns)
{
    struct term_rows rows = {.rest = value, .columns = columns > 0 ? columns - indent : 0};
    struct str row;
    bool first = true;

    while (term_rows_next(&rows, &row)) {
        buf_addf(out, "%*s" STR_FMT "\n", first ? 0 : indent + rows.indent, "", STR_ARG(row));
        first = false;
    }
}

void field_details(const struct field *fields, size_t n, const cJSON *doc, int64_t now_ms,
                   const struct terminal *t, struct buf *out)
{
    int widest = 0;

    for (size_t i = 0; i < n; i++)
        if ((int)strlen(fields[i].title) > widest)
            widest = (int)strlen(fields[i].title);
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF value = BUF_INIT(VALUE_MAX);

        field_text(&fields[i], doc, now_ms, &value);
        if (value.len == 0)
            continue;
        buf_addf(out, "%s%-*s%s  ", terminal_style(t, "dim"), widest, fields[i].title,
                 terminal_style(t, "plain"));
        put_rows(out, buf_str(&value), widest + 2, t->terminal ? t->columns : 0);
    }
}

/* --- tables --------------------------------------------------------------------- */

void table_init(struct table *t, const struct field *fields, size_t n,
                const struct terminal *terminal, int64_t now_ms)
{
    *t = (struct table){.terminal = terminal, .cells = BUF_INIT(CELLS_MAX), .now_ms = now_ms};
    for (size_t i = 0; i < n && t->n < TABLE_COLUMNS; i++)
        if (!terminal->terminal || terminal->columns >= fields[i].from_columns) {
            t->width[t->n] = (int)strlen(fields[i].title);
            t->fields[t->n++] = &fields[i];
        }
}

void table_release(struct table *t)
{
    buf_release(&t->cells);
}

void table_add(struct table *t, const cJSON *doc)
{
    for (size_t i = 0; i < t->n; i++) {
        size_t from = t->cells.len;
        int width;

        field_text(t->fields[i], doc, t->now_ms, &t->cells);
        if (t->cells.len == from)
            buf_addc(&t->cells, '-');
        width = t->cells.rc == ERR_OK
                    ? term_text_width((struct str){t->cells.p + from, t->cells.len - from})
                    : 0;
        t->width[i] = width > t->width[i] ? width : t->width[i];
        buf_addc(&t->cells, '\0');
    }
}

static bool is_number(enum field_kind kind)
{
    return kind != FIELD_TEXT && kind != FIELD_TIME && kind != FIELD_YES;
}

/* Columns to the left of i, with the spaces between. */
static int left_of(const struct table *t, size_t i)
{
    int sum = 0;

    while (i-- > 0)
        sum += t->width[i] + 2;
    return sum;
}

/* The last one takes what is left of the row, and is cut there. */
static void put_cell(const struct table *t, size_t i, struct str value, struct buf *out)
{
    bool last = i + 1 == t->n;
    int room = t->terminal->columns - left_of(t, i), pad;

    if (last && t->terminal->terminal && term_text_width(value) > room && room > 1) {
        buf_addstr(out, term_text_fit(value, room - 1));
        buf_adds(out, t->terminal->unicode ? "…" : "~");
        return;
    }
    pad = t->width[i] - term_text_width(value);
    if (is_number(t->fields[i]->kind))
        buf_addf(out, "%*s" STR_FMT, pad, "", STR_ARG(value));
    else
        buf_addf(out, STR_FMT "%*s", STR_ARG(value), last ? 0 : pad, "");
    buf_adds(out, last ? "" : "  ");
}

void table_flush(struct table *t, struct buf *out)
{
    const char *p = t->cells.p;

    if (t->cells.len == 0 || t->cells.rc != ERR_OK)
        return;
    if (!t->headed) {
        buf_adds(out, terminal_style(t->terminal, "dim"));
        for (size_t i = 0; i < t->n; i++)
            put_cell(t, i, str_of(t->fields[i]->title), out);
        buf_adds(out, terminal_style(t->terminal, "plain"));
        buf_addc(out, '\n');
    }
    t->headed = true;
    while (p < t->cells.p + t->cells.len) {
        for (size_t i = 0; i < t->n; i++) {
            put_cell(t, i, str_of(p), out);
            p += strlen(p) + 1;
        }
        buf_addc(out, '\n');
    }
    buf_clear(&t->cells);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/reads/cursor.h"
#include "api/reads/labels.h"
#include "api/reads/sql.h"
#include "common/clock.h"
#include "common/json/json.h"
#include "common/banned.h"

enum {
    LIMIT_MAX = 200,
    LIMIT_DEFAULT = 50,
    FILTERS_MAX = 16,
    VALUE_MAX = 256,
    VISIBLE_MAX = 128,
    LABELS_TEXT_MAX = 32 << 10,
    SQL_MAX = 32 << 10
};

struct asked { /* c->state */
    const struct list *list;
    int64_t limit;
    int64_t looks; /* rows that are looked at for the page */
    bool ascending, goes_on, by_labels;
    struct cursor cursor;
    struct cursor_bound bound;
    const struct list_filter *filter[FILTERS_MAX]; /* those that were given */
    char value[FILTERS_MAX][VALUE_MAX];            /* as Postgres takes it; of labels and tags: */
    struct buf labels[FILTERS_MAX];
    size_t n_labels[FILTERS_MAX], n;
};

static void release(struct call *c)
{
    struct asked *a = c->state;

    for (size_t i = 0; i < FILTERS_MAX; i++)
        buf_release(&a->labels[i]);
    free(a);
}

/* --- reading the query ----------------------------------------------------------------- */

static bool known_params(struct call *c, const struct list *list)
{
    const char *names[FILTERS_MAX + 4] = {"limit", "cursor"};
    size_t n = 2;

    if (list->either_way)
        names[n++] = "order";
    for (const struct list_filter *f = list->filters; f->param; f++)
        names[n++] = f->several ? f->several : f->param;
    return call_params(c, names);
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_' && (s.p[i] < 'a' || s.p[i] > 'z'))
            return false;
    return s.n > 0 && s.n <= 64;
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '!' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= VISIBLE_MAX;
}

static bool is_of(struct str s, const char *const *words)
{
    for (; *words; words++)
        if (str_is(s, *words))
            return true;
    return false;
}

/* "a,b" as "{a,b}": words need no quotes in an array. */
static bool read_any(const struct list_filter *f, const char *text, char value[VALUE_MAX])
{
    struct str rest = str_of(text), one;

    while (str_next(&rest, ',', &one))
        if (!is_of(one, f->words))
            return false;
    return snprintf(value, VALUE_MAX, "{%s}", text) < VALUE_MAX;
}

static bool read_time(const char *text, char value[VALUE_MAX])
{
    char out[CLOCK_TEXT];
    int64_t ms;

    if (!clock_parse_rfc3339(str_of(text), &ms) || clock_rfc3339(ms, out)[0] == '-')
        return false;
    return snprintf(value, VALUE_MAX, "%s", out) < VALUE_MAX;
}

static bool read_value(const struct list_filter *f, const char *text, char value[VALUE_MAX])
{
    switch (f->kind) {
    case LIST_ANY:
        return read_any(f, text, value);
    case LIST_SINCE:
    case LIST_BEFORE:
        return read_time(text, value);
    case LIST_NAME:
        if (!run_name_ok(str_of(text)))
            return false;
        break;
    case LIST_WORD:
        if (!is_word(str_of(text)))
            return false;
        break;
    case LIST_VISIBLE:
        if (!is_visible(str_of(text)))
            return false;
        break;
    case LIST_OF:
        if (!is_of(str_of(text), f->words))
            return false;
        break;
    case LIST_LABELS: /* read_labels() */
    case LIST_TAGS:
        break;
    }
    return snprintf(value, VALUE_MAX, "%s", text) < VALUE_MAX;
}

static const char *kind_text(enum list_kind kind)
{
    switch (kind) {
    case LIST_NAME:
        return "a name";
    case LIST_WORD:
        return "a word of small letters";
    case LIST_VISIBLE:
        return "1 to 128 visible characters of ASCII";
    case LIST_OF:
        return "one of its words";
    case LIST_ANY:
        return "one or more of its words, with commas between them";
    case LIST_SINCE:
    case LIST_BEFORE:
        return "a time as RFC 3339 has it";
    case LIST_LABELS: /* labels_add() says it */
    case LIST_TAGS:
        break;
    }
    return "";
}

struct labels_asked {
    const char *param, *wrong;
    const char *(*add)(struct labels *l, struct str text);
    struct labels found;
};

static bool take_label(void *ctx, struct str name, struct str value)
{
    struct labels_asked *l = ctx;

    if (str_is(name, l->param))
        l->wrong = l->add(&l->found, value);
    return !l->wrong;
}

static bool read_labels(struct call *c, struct asked *a, const struct list_filter *f)
{
    struct labels_asked l = {.param = f->param,
                             .add = f->kind == LIST_TAGS ? labels_add_tag : labels_add};
    struct buf *text = &a->labels[a->n];

    http_request_query_each(c->http, take_label, &l);
    if (l.wrong)
        call_problem_at(c, PROBLEM_BAD_REQUEST, f->param, "%s %s", f->param, l.wrong);
    if (l.wrong || l.found.n == 0)
        return call_is_open(c);
    a->by_labels = true;
    a->n_labels[a->n] = l.found.n;
    *text = BUF_INIT(LABELS_TEXT_MAX);
    labels_write(&l.found, c->who.tenant, text);
    if (text->rc != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return false;
    }
    cursor_bind_to(&a->bound, f->param, text->p);
    a->filter[a->n++] = f;
    return true;
}

static bool read_filter(struct call *c, struct asked *a, const struct list_filter *f)
{
    char text[VALUE_MAX];
    bool given;

    if (f->several)
        return read_labels(c, a, f);
    if (!call_text(c, f->param, text, sizeof(text), &given) || !given)
        return call_is_open(c);
    if (!read_value(f, text, a->value[a->n])) {
        call_problem_at(c, PROBLEM_BAD_REQUEST, f->param, "%s is %s", f->param, kind_text(f->kind));
        return false;
    }
    cursor_bind_to(&a->bound, f->param, a->value[a->n]);
    a->filter[a->n++] = f;
    if (f->late)
        a->looks = LIST_LOOKS;
    return true;
}

static bool read_order(struct call *c, struct asked *a)
{
    char text[8] = "";
    bool given = false;

    if (a->list->either_way && !call_text(c, "order", text, sizeof(text), &given))
        return false;
    a->ascending = strcmp(text, "asc") == 0;
    if (given && !a->ascending && strcmp(text, "desc") != 0) {
        call_problem_at(c, PROBLEM_BAD_REQUEST, "order", "order is desc or asc");
        return false;
    }
    cursor_bind_to(&a->bound, "order", a->ascending ? "asc" : "desc");
    return true;
}

static bool read_cursor(struct call *c, struct asked *a)
{
    struct str text = http_request_query(c->http, "cursor");

    a->goes_on = text.p != NULL;
    if (!a->goes_on ||
        (cursor_parse(text, &a->bound, &a->cursor) &&
         (strcmp(a->list->id_type, "uuid") != 0 || uuid_valid(str_of(a->cursor.id)))))
        return true;
    call_problem_at(c, PROBLEM_BAD_CURSOR, "cursor",
                    "the cursor is none of this list with these filters: begin without one");
    return false;
}

static bool read_query(struct call *c, struct asked *a)
{
    if (!known_params(c, a->list) || !call_int(c, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &a->limit))
        return false;
    a->looks = a->limit;
    cursor_bind(&a->bound, a->list->name, c->who.tenant);
    for (const struct list_filter *f = a->list->filters; f->param; f++)
        if (!read_filter(c, a, f))
            return false;
    return read_order(c, a) && read_cursor(c, a);
}

/* --- the statement ------------------------------------------------------------------------- */

/* first: a column that is the same in all these rows, or NULL. In the order it leaves the planner
 * no index that does not begin with it, whose rows would be read through in search of that word. */
static void order_and_limit(const struct asked *a, const char *first, struct buf *sql)
{
    const char *way = a->ascending ? "ASC" : "DESC";

    buf_adds(sql, " ORDER BY ");
    if (first)
        buf_addf(sql, "%s %s, ", first, way);
    buf_addf(sql, "%s %s, %s %s LIMIT %" PRId64, a->list->at, way, a->list->id, way, a->looks + 1);
}

/* One by one: how many runs have a label is known, and so whether to begin with these or with the
 * newest runs. */
static void has_labels(const struct asked *a, size_t i, struct buf *sql)
{
    for (size_t k = 1; k <= a->n_labels[i]; k++)
        buf_addf(sql,
                 " AND EXISTS (SELECT FROM %s AS l WHERE l.label = ($%zu::text[])[%zu]"
                 " AND l.run_id = r.run_id)",
                 a->filter[i]->column, i + 2, k);
}

static void condition(const struct asked *a, size_t i, struct buf *sql)
{
    const struct list_filter *f = a->filter[i];

    if (f->several) {
        has_labels(a, i, sql);
        return;
    }
    buf_addf(sql, " AND %s %s ", f->column,
             f->kind == LIST_SINCE    ? ">="
             : f->kind == LIST_BEFORE ? "<"
                                      : "=");
    if (f->kind == LIST_ANY)
        buf_adds(sql, "any_of.word");
    else
        buf_addf(sql, "$%zu", i + 2);
}

static void rows(const struct asked *a, const char *first, struct buf *sql)
{
    const struct list *l = a->list;

    buf_addf(sql, "SELECT r.* FROM %s WHERE %s", l->from, l->where);
    for (size_t i = 0; i < a->n; i++)
        if (!a->filter[i]->late)
            condition(a, i, sql);
    if (a->goes_on)
        buf_addf(sql, " AND (%s, %s) %s ($%zu::timestamptz, $%zu::%s)", l->at, l->id,
                 a->ascending ? ">" : "<", a->n + 2, a->n + 3, l->id_type);
    order_and_limit(a, first, sql);
}

/* The filter with several words that an index knows, or that is late; a->n: there is none. */
static size_t find_any(const struct asked *a, bool late)
{
    size_t i = 0;

    while (i < a->n && (a->filter[i]->kind != LIST_ANY || a->filter[i]->late != late))
        i++;
    return i;
}

/* Of several words each has its own beginning of the index: what is common to them is not read
 * through in search of the others. */
static void write_found(const struct asked *a, struct buf *sql)
{
    size_t any = find_any(a, false);

    if (any == a->n) {
        rows(a, NULL, sql);
        return;
    }
    buf_addf(sql,
             "SELECT r.* FROM (SELECT DISTINCT unnest($%zu::text[]) AS word) AS any_of"
             " CROSS JOIN LATERAL (",
             any + 2);
    rows(a, a->filter[any]->column, sql);
    buf_adds(sql, ") AS r");
    order_and_limit(a, NULL, sql);
}

static void write_sql(const struct asked *a, struct buf *sql)
{
    const struct list *l = a->list;
    size_t late = find_any(a, true);

    buf_addf(sql, "SELECT " SQL_US("%s") ", %s, ", l->at, l->at, l->id);
    if (late < a->n)
        buf_addf(sql, "CASE WHEN %s = ANY ($%zu::text[]) THEN %s END", a->filter[late]->column,
                 late + 2, l->show);
    else
        buf_adds(sql, l->show);
    buf_adds(sql, " FROM (");
    write_found(a, sql);
    buf_addf(sql, ") AS r %s", l->join ? l->join : "");
    order_and_limit(a, NULL, sql);
}

/* --- the answer ---------------------------------------------------------------------------- */

/* The rows of the page; returns the last one that was looked at, or -1: there is nothing behind. */
static int write_rows(const struct asked *a, PGresult *res, struct buf *body)
{
    int n = PQntuples(res), shown = 0;

    for (int i = 0; i < n && i < (int)a->looks; i++) {
        if (PQgetisnull(res, i, 2))
            continue;
        if (shown == (int)a->limit)
            return i - 1;
        if (shown++ > 0)
            buf_addc(body, ',');
        buf_adds(body, PQgetvalue(res, i, 2));
    }
    return n > (int)a->looks ? (int)a->looks - 1 : -1;
}

static void write_next(const struct asked *a, PGresult *res, int last, struct buf *body)
{
    struct cursor next = {.at_us = last < 0 ? 0 : pg_int(res, last, 0)};

    if (last < 0) {
        buf_adds(body, "null");
        return;
    }
    (void)snprintf(next.id, sizeof(next.id), "%s", pg_text(res, last, 1));
    buf_addc(body, '"');
    cursor_write(&next, &a->bound, body);
    buf_addc(body, '"');
}

static void on_rows(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const struct asked *a = c->state;
    struct buf body = BUF_INIT(API_ANSWER_MAX);
    int last;

    (void)e;
    buf_adds(&body, "{\"data\":[");
    last = write_rows(a, res, &body);
    buf_adds(&body, "],\"next_cursor\":");
    write_next(a, res, last, &body);
    buf_adds(&body, "}\n");
    call_json(c, 200, &body);
}

/* Of a label it matters which one it is: planned for its value, in the same round trip. */
#define PLANNED_FOR_VALUES "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"

static void ask(struct call *c, const struct asked *a)
{
    AUTO_BUF sql = BUF_INIT(SQL_MAX);
    struct pg_cmd cmd = {.n = 1, .v = {c->who.tenant}};
    char at[CURSOR_TIME_TEXT];

    write_sql(a, &sql);
    if (sql.rc != ERR_OK) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    cmd.sql = sql.p;
    cmd.before = a->by_labels ? PLANNED_FOR_VALUES : NULL;
    for (size_t i = 0; i < a->n; i++)
        cmd.v[cmd.n++] = a->filter[i]->several ? a->labels[i].p : a->value[i];
    if (a->goes_on) {
        cmd.v[cmd.n++] = cursor_time(&a->cursor, at);
        cmd.v[cmd.n++] = a->cursor.id;
    }
    call_query(c, &cmd, on_rows);
}

void list_answer(struct call *c, const struct list *list)
{
    struct asked *a = calloc(1, sizeof(*a));

    if (!a) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    a->list = list;
    c->state = a;
    c->release = release;
    if (read_query(c, a))
        ask(c, a);
}

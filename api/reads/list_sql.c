/* SPDX-License-Identifier: Apache-2.0 */
/* The statement for what is asked of a list. */
#include <inttypes.h>

#include "api/reads/list_asked.h"
#include "api/reads/sql.h"
#include "common/banned.h"

/* first: a column that is the same in all these rows, or NULL. In the order it leaves the planner
 * no index that does not begin with it, whose rows would be read through in search of that word;
 * provided that the planner does not see that it is the same: see condition(). */
static void order_and_limit(const struct list_asked *a, const char *first, struct buf *sql)
{
    const char *way = a->ascending ? "ASC" : "DESC";

    buf_adds(sql, " ORDER BY ");
    if (first)
        buf_addf(sql, "%s %s, ", first, way);
    buf_addf(sql, "%s %s, %s %s LIMIT %" PRId64, a->list->at, way, a->list->id, way, a->looks + 1);
}

/* One by one: how many runs have a label is known, and so whether to begin with these or with the
 * newest runs. */
static void has_labels(const struct list_asked *a, size_t i, struct buf *sql)
{
    for (size_t k = 1; k <= a->n_labels[i]; k++)
        buf_addf(sql,
                 " AND EXISTS (SELECT FROM %s AS l WHERE l.label = ($%zu::text[])[%zu]"
                 " AND l.run_id = r.run_id)",
                 a->filter[i]->column, i + 2, k);
}

static void condition(const struct list_asked *a, size_t i, struct buf *sql)
{
    const struct list_filter *f = a->filter[i];

    if (f->several) {
        has_labels(a, i, sql);
        return;
    }
    if (f->kind == LIST_ANY) { /* with "=" the planner would leave it out of the order */
        buf_addf(sql, " AND %s BETWEEN any_of.word AND any_of.word", f->column);
        return;
    }
    buf_addf(sql, " AND %s %s $%zu", f->column,
             f->kind == LIST_SINCE    ? ">="
             : f->kind == LIST_BEFORE ? "<"
                                      : "=",
             i + 2);
}

static void rows(const struct list_asked *a, const char *first, struct buf *sql)
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
static size_t find_any(const struct list_asked *a, bool late)
{
    size_t i = 0;

    while (i < a->n && (a->filter[i]->kind != LIST_ANY || a->filter[i]->late != late))
        i++;
    return i;
}

/* Of several words each has its own beginning of the index: what is common to them is not read
 * through in search of the others. */
static void write_found(const struct list_asked *a, struct buf *sql)
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

/* The filter whose word is looked at again, row by row; a->n: there is none. */
static size_t find_again(const struct list_asked *a)
{
    size_t i = 0;

    while (i < a->n && !a->filter[i]->late && !a->filter[i]->seen)
        i++;
    return i;
}

void list_asked_write_sql(const struct list_asked *a, struct buf *sql)
{
    const struct list *l = a->list;
    size_t again = find_again(a);

    buf_addf(sql, "SELECT " SQL_US("%s") ", %s, ", l->at, l->at, l->id);
    if (again < a->n)
        buf_addf(sql, "CASE WHEN %s = ANY ($%zu::text[]) THEN %s END",
                 a->filter[again]->late ? a->filter[again]->column : a->filter[again]->seen,
                 again + 2, l->show);
    else
        buf_adds(sql, l->show);
    buf_adds(sql, " FROM (");
    write_found(a, sql);
    buf_addf(sql, ") AS r %s", l->join ? l->join : "");
    order_and_limit(a, NULL, sql);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A page of a list: filters from the query, the order, a cursor to go on by. A list is a row of
 * words; the statement is made from those that were asked for, so that each kind of question has
 * an index that gives its answer in order. */
#ifndef SANDFLEET_API_READS_LIST_H
#define SANDFLEET_API_READS_LIST_H

#include "api/call.h"

enum list_kind {
    LIST_NAME,    /* column = a name (run_name_ok) */
    LIST_WORD,    /* column = a word of small letters */
    LIST_VISIBLE, /* column = visible ASCII, no space */
    LIST_OF,      /* column = one of `words` */
    LIST_ANY,     /* column = any of `words`, with commas between them; one a list */
    LIST_LABELS,  /* column, a table (label, run_id), has all of them (labels.h) */
    LIST_TAGS,    /* the same of tags */
    LIST_SINCE,   /* column >= a time */
    LIST_BEFORE   /* column < a time */
};

struct list_filter {
    const char *param; /* of the query */
    enum list_kind kind;
    const char *column;
    const char *const *words; /* NULL ends them */
    const char
        *several;     /* of LIST_LABELS, LIST_TAGS: param with "*" behind it, for call_params() */
    const char *seen; /* LIST_ANY: the word that is shown where that is not always the column's; a
                         row whose word has become another one is left out */
    bool late; /* LIST_ANY of what no index has: looked at row by row, LIST_LOOKS of them a page */
};
enum { LIST_LOOKS = 1000 };

struct list {
    const char *name;                  /* cursors are bound to it */
    const char *from;                  /* "fleet.runs AS r" */
    const char *where;                 /* "r.tenant = $1"; $1 is the caller's tenant, always */
    const char *at, *id;               /* what it is ordered by: a time, then what is unique */
    const char *id_type;               /* "uuid" */
    const char *join;                  /* "LEFT JOIN …", for `show` and late filters; or NULL */
    const char *show;                  /* the row as JSON; NULL leaves it out */
    const struct list_filter *filters; /* .param NULL ends them */
    bool either_way;                   /* may be asked for with order=asc */
};

/* Answers it. `filters` of the list, limit, cursor and order are all that may be asked for. A page
 * may hold fewer rows than its limit, and there may be more all the same: next_cursor tells. */
void list_answer(struct call *c, const struct list *list);

#endif

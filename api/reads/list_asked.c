/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/list_asked.h"

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/reads/labels.h"
#include "common/clock.h"
#include "common/banned.h"

enum { LIMIT_MAX = 200, LIMIT_DEFAULT = 50, VISIBLE_MAX = 128, LABELS_TEXT_MAX = 32 << 10 };

static bool known_params(struct call *c, const struct list *list)
{
    const char *names[LIST_FILTERS_MAX + 4] = {"limit", "cursor"};
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
static bool read_any(const struct list_filter *f, const char *text, char value[LIST_VALUE_MAX])
{
    struct str rest = str_of(text), one;

    while (str_next(&rest, ',', &one))
        if (!is_of(one, f->words))
            return false;
    return snprintf(value, LIST_VALUE_MAX, "{%s}", text) < LIST_VALUE_MAX;
}

static bool read_time(const char *text, char value[LIST_VALUE_MAX])
{
    char out[CLOCK_TEXT];
    int64_t ms;

    if (!clock_parse_rfc3339(str_of(text), &ms) || clock_rfc3339(ms, out)[0] == '-')
        return false;
    return snprintf(value, LIST_VALUE_MAX, "%s", out) < LIST_VALUE_MAX;
}

static bool read_value(const struct list_filter *f, const char *text, char value[LIST_VALUE_MAX])
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
    return snprintf(value, LIST_VALUE_MAX, "%s", text) < LIST_VALUE_MAX;
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
        return "one of these";
    case LIST_ANY:
        return "one or more of these, with commas between them";
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

static bool read_labels(struct call *c, struct list_asked *a, const struct list_filter *f)
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

static void refuse(struct call *c, const struct list_filter *f)
{
    AUTO_BUF words = BUF_INIT(1024);

    for (size_t i = 0; f->words && f->words[i]; i++)
        buf_addf(&words, "%s%s", i ? ", " : ": ", f->words[i]);
    call_problem_at(c, PROBLEM_BAD_REQUEST, f->param, "%s is %s%s", f->param, kind_text(f->kind),
                    words.p ? words.p : "");
}

static bool read_filter(struct call *c, struct list_asked *a, const struct list_filter *f)
{
    char text[LIST_VALUE_MAX];
    bool given;

    if (f->several)
        return read_labels(c, a, f);
    if (!call_text(c, f->param, text, sizeof(text), &given) || !given)
        return call_is_open(c);
    if (!read_value(f, text, a->value[a->n])) {
        refuse(c, f);
        return false;
    }
    cursor_bind_to(&a->bound, f->param, a->value[a->n]);
    a->filter[a->n++] = f;
    if (f->late)
        a->looks = LIST_LOOKS;
    return true;
}

static bool read_order(struct call *c, struct list_asked *a)
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

static bool read_cursor(struct call *c, struct list_asked *a)
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

bool list_asked_read(struct call *c, const struct list *list, struct list_asked *a)
{
    a->list = list;
    if (!known_params(c, a->list) || !call_int(c, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &a->limit))
        return false;
    a->looks = a->limit;
    cursor_bind(&a->bound, a->list->name, c->who.tenant);
    for (const struct list_filter *f = a->list->filters; f->param; f++)
        if (!read_filter(c, a, f))
            return false;
    return read_order(c, a) && read_cursor(c, a);
}

void list_asked_release(struct list_asked *a)
{
    for (size_t i = 0; i < LIST_FILTERS_MAX; i++)
        buf_release(&a->labels[i]);
}

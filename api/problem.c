/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

#include "common/attrs.h"
#include "common/json/json.h"
#include "common/banned.h"

static const struct row {
    int status;
    const char *word;
    bool retryable;
    const char *title;
} rows[PROBLEMS] = {
#define PROBLEM_ROW(code, status, word, retryable, title)                                          \
    [PROBLEM_##code] = {status, word, retryable, title},
    PROBLEM_MAP(PROBLEM_ROW)
#undef PROBLEM_ROW
};

int problem_status(enum problem p)
{
    return rows[p].status;
}

const char *problem_word(enum problem p)
{
    return rows[p].word;
}

bool problem_may_do_later(enum problem p)
{
    return rows[p].retryable;
}

enum problem problem_find(struct str word)
{
    for (size_t p = 0; p < PROBLEMS; p++)
        if (str_is(word, rows[p].word))
            return (enum problem)p;
    return PROBLEMS;
}

static void write_fields(const struct problem_text *t, struct buf *out)
{
    json_key(out, "errors");
    buf_addc(out, '[');
    for (size_t i = 0; i < t->n_fields; i++) {
        const struct problem_field *f = &t->fields[i];

        buf_adds(out, i ? ",{" : "{");
        json_kv(out, "pointer", f->pointer);
        json_kv(out, "code", rows[f->problem].word);
        json_kv(out, "detail", f->detail);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

void problem_write(const struct problem_text *t, struct buf *out)
{
    const struct row *r = &rows[t->problem];

    buf_addf(out, "{\"type\":\"urn:sandfleet:problem:%s\"", r->word);
    json_kv(out, "title", r->title);
    json_kv_int(out, "status", r->status);
    json_kv(out, "detail", t->detail);
    json_kv(out, "code", r->word);
    json_kv(out, "request_id", t->request_id);
    json_kv_bool(out, "retryable", r->retryable);
    if (t->n_fields)
        write_fields(t, out);
    buf_adds(out, "}\n");
}

/* What a handler tells apart it says itself; this is for what is left. */
enum problem problem_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return PROBLEM_INVALID;
    case ERR_USAGE:
        return PROBLEM_BAD_REQUEST;
    case ERR_TOO_BIG:
        return PROBLEM_TOO_LARGE;
    case ERR_NOT_FOUND:
        return PROBLEM_NOT_FOUND;
    case ERR_TIMEOUT:
    case ERR_THROTTLED:
    case ERR_UNAVAILABLE:
    case ERR_CAPACITY:
    case ERR_GONE:
    case ERR_IO:
        return PROBLEM_DATABASE_AWAY;
    default:
        return PROBLEM_INTERNAL;
    }
}

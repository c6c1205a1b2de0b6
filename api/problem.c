/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

#include "common/attrs.h"
#include "common/json.h"
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

static void write_errors(const struct problem_text *t, struct buf *out)
{
    json_key(out, "errors");
    buf_adds(out, "[{");
    json_kv(out, "pointer", t->pointer);
    json_kv(out, "detail", t->detail);
    buf_adds(out, "}]");
}

void problem_write(const struct problem_text *t, struct buf *out)
{
    const struct row *r = &rows[t->problem];

    buf_adds(out, "{\"type\":\"about:blank\"");
    json_kv(out, "title", r->title);
    json_kv_int(out, "status", r->status);
    json_kv(out, "detail", t->detail);
    json_kv(out, "code", r->word);
    json_kv(out, "request_id", t->request_id);
    json_kv_bool(out, "retryable", r->retryable);
    if (t->pointer)
        write_errors(t, out);
    buf_adds(out, "}\n");
}

enum problem problem_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return PROBLEM_INVALID;
    case ERR_USAGE:
        return PROBLEM_BAD_REQUEST;
    case ERR_TOO_BIG:
        return PROBLEM_TOO_BIG;
    case ERR_CONFLICT:
        return PROBLEM_CONFLICT;
    case ERR_NOT_FOUND:
        return PROBLEM_NOT_FOUND;
    case ERR_UNAUTHORIZED:
        return PROBLEM_UNAUTHORIZED;
    case ERR_TIMEOUT:
        return PROBLEM_TIMEOUT;
    case ERR_THROTTLED:
    case ERR_UNAVAILABLE:
    case ERR_CAPACITY:
    case ERR_GONE:
    case ERR_IO:
        return PROBLEM_UNAVAILABLE;
    default:
        return PROBLEM_INTERNAL;
    }
}

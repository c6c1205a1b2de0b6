/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked, read; and what is answered. */
#include "api/call.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/audit.h"
#include "common/json/json.h"
#include "common/banned.h"

enum { DETAIL_MAX = 2048, PROBLEM_MAX = 8 * DETAIL_MAX /* each byte of it may be \u00XX */ };

/* --- the answer ----------------------------------------------------------------------- */

void call_json(struct call *c, int status, struct buf *body)
{
    if (!call_is_open(c)) {
        buf_release(body);
        return;
    }
    http_reply_header(c->http, "Cache-Control", "no-store");
    http_answer(c->http, status, "application/json", body);
}

void call_empty(struct call *c, int status)
{
    struct buf none = BUF_INIT(0);

    if (call_is_open(c))
        http_answer(c->http, status, NULL, &none);
}

static void answer(struct call *c, const struct problem_text *t)
{
    AUTO_BUF body = BUF_INIT(PROBLEM_MAX);

    problem_write(t, &body);
    if (problem_status(t->problem) == 503)
        http_reply_header(c->http, "Retry-After", "1");
    http_reply_header(c->http, "Cache-Control", "no-store");
    http_answer(c->http, problem_status(t->problem), PROBLEM_CONTENT_TYPE, &body);
}

void call_problem(struct call *c, enum problem p, const char *fmt, ...)
{
    AUTO_BUF detail = BUF_INIT(DETAIL_MAX);
    va_list ap;

    if (!call_is_open(c))
        return;
    va_start(ap, fmt);
    buf_vaddf(&detail, fmt, ap);
    va_end(ap);
    answer(c, &(struct problem_text){.problem = p,
                                     .request_id = c->id,
                                     .detail = detail.rc == ERR_OK ? detail.p : NULL});
}

void call_problem_at(struct call *c, enum problem p, const char *pointer, const char *fmt, ...)
{
    AUTO_BUF detail = BUF_INIT(DETAIL_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&detail, fmt, ap);
    va_end(ap);
    call_problem_fields(c, &(struct problem_field){p, pointer, detail.rc == ERR_OK ? detail.p : ""},
                        1);
}

void call_problem_fields(struct call *c, const struct problem_field *fields, size_t n)
{
    bool in_body = fields[0].pointer[0] == '\0' || fields[0].pointer[0] == '/';

    if (call_is_open(c))
        answer(c, &(struct problem_text){.problem = fields[0].problem,
                                         .request_id = c->id,
                                         .detail = fields[0].detail,
                                         .fields = fields,
                                         .n_fields = in_body ? n : 0});
}

void call_failed(struct call *c, const struct err *e)
{
    call_problem(c, problem_of(e->code), "%s", e->msg);
}

/* --- asked ------------------------------------------------------------------------------ */

struct check {
    struct call *c;
    const char *const *names;
    const char *name; /* the one that is counted */
    int n;
};

/* "metadata*" is metadata, as often as it comes. */
static bool is_name(struct str name, const char *pattern)
{
    size_t n = strlen(pattern);

    return str_eq(name, (struct str){pattern, pattern[n - 1] == '*' ? n - 1 : n});
}

static bool known(void *ctx, struct str name, struct str value)
{
    const struct check *k = ctx;

    (void)value;
    for (size_t i = 0; k->names[i]; i++)
        if (is_name(name, k->names[i]))
            return true;
    if (str_is(name, "tenant") ||
        ((k->c->route->flags & ROUTE_READ_TOKEN) && str_is(name, "access_token")))
        return true; /* auth_check() read it */
    call_problem_at(k->c, PROBLEM_BAD_REQUEST, "query", "there is no parameter '" STR_FMT "'",
                    (int)(name.n < 60 ? name.n : 60), name.p);
    return false;
}

static bool count(void *ctx, struct str name, struct str value)
{
    struct check *k = ctx;

    (void)value;
    k->n += str_is(name, k->name);
    return true;
}

/* Which of two would count is nobody's to guess. */
static void refuse_twice(struct call *c, const char *const *names)
{
    struct check k = {.c = c};

    for (size_t i = 0; names[i] && call_is_open(c); i++) {
        k.name = names[i];
        k.n = 0;
        http_request_query_each(c->http, count, &k);
        if (k.n > 1)
            call_problem_at(c, PROBLEM_BAD_REQUEST, k.name, "%s comes twice", k.name);
    }
}

bool call_params(struct call *c, const char *const *names)
{
    static const char *const everywhere[] = {"tenant", "access_token", NULL};
    struct check k = {.c = c, .names = names};

    http_request_query_each(c->http, known, &k);
    refuse_twice(c, names);
    refuse_twice(c, everywhere);
    return call_is_open(c);
}

bool call_text(struct call *c, const char *name, char *out, size_t room, bool *given)
{
    struct str v = http_request_query(c->http, name);

    *given = v.p != NULL;
    out[0] = '\0';
    if (!v.p)
        return true;
    if (v.n >= room || memchr(v.p, '\0', v.n) || !str_utf8(v, NULL)) {
        call_problem_at(c, PROBLEM_BAD_REQUEST, name, "%s is no text of at most %zu bytes", name,
                        room - 1);
        return false;
    }
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

bool call_int(struct call *c, const char *name, int64_t least, int64_t most, int64_t def,
              int64_t *out)
{
    struct str v = http_request_query(c->http, name);

    *out = def;
    if (!v.p || (str_int(v, most, out) && *out >= least))
        return true;
    call_problem_at(c, PROBLEM_BAD_REQUEST, name, "%s is a whole number of %lld to %lld", name,
                    (long long)least, (long long)most);
    return false;
}

const char *call_run_id(struct call *c)
{
    if (uuid_valid(c->param[0]))
        return c->param[0].p;
    call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
    return NULL;
}

cJSON *call_object(struct call *c)
{
    struct str text = c->http->body.len ? buf_str(&c->http->body) : STR("{}");
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(text, JSON_STRICT, &tree, &err) == ERR_OK && cJSON_IsObject(tree))
        return tree;
    cJSON_Delete(tree);
    call_problem_at(c, PROBLEM_BAD_JSON, "", "the body is no JSON object: %s",
                    err.code == ERR_OK ? "it is another value" : err.msg);
    return NULL;
}

/* --- the database ------------------------------------------------------------------------ */

struct question {
    struct call *c;
    pg_fn fn;
};

static void on_result(void *ctx, PGresult *res, const struct err *e)
{
    struct question q = *(struct question *)ctx;

    call_disown(ctx);
    if (e->code != ERR_OK && call_is_open(q.c))
        call_problem(q.c,
                     err_action(e->code) == ERR_DO_RETRY ? PROBLEM_DATABASE_AWAY : PROBLEM_INTERNAL,
                     "the database did not answer: %s", e->msg);
    else if (call_is_open(q.c))
        q.fn(q.c, res, e);
    call_drop(q.c);
}

/* What changes something says in the same transaction who does it. */
static enum err_code ask(struct pg *db, const struct question *q, const struct pg_cmd *cmd,
                         struct err *err)
{
    AUTO_BUF before = BUF_INIT(4 * AUDIT_MAX_BYTES);
    struct pg_cmd told = *cmd;

    if (audit_wanted(q->c)) {
        audit_before(q->c, &before);
        told.before = before.p;
    }
    if (before.rc != ERR_OK)
        return err_set(err, before.rc, "who asks");
    return pg_send(db, &told, on_result, (void *)(uintptr_t)q, err);
}

void call_query(struct call *c, const struct pg_cmd *cmd, pg_fn fn)
{
    struct pg *db = api_db(c->api);
    struct question *q = db ? call_own(c, sizeof(*q)) : NULL;
    struct err err = ERR_INIT;

    if (!q) {
        call_problem(c, db ? PROBLEM_INTERNAL : PROBLEM_DATABASE_AWAY,
                     db ? "out of memory" : "the database is away");
        return;
    }
    *q = (struct question){c, fn};
    call_keep(c);
    if (ask(db, q, cmd, &err) == ERR_OK)
        return;
    call_disown(q);
    call_failed(c, &err);
    call_drop(c);
}

/* What the first parameter of the path names. */
static const char *noun_of(const struct call *c)
{
    static const char *const nouns[][2] = {{"/v1/runs/", "run"},
                                           {"/v1/batches/", "batch"},
                                           {"/v1/sessions/", "session"},
                                           {"/v1/sandboxes/", "sandbox"},
                                           {"/v1/dlq/", "letter"}};

    for (size_t i = 0; i < COUNTOF(nouns); i++)
        if (str_starts(str_of(c->route->path), nouns[i][0]))
            return nouns[i][1];
    return "thing";
}

void call_json_row(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct buf body = BUF_INIT(API_ANSWER_MAX);

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such %s, or it is not yours", noun_of(c));
        return;
    }
    buf_adds(&body, PQgetvalue(res, 0, 0));
    buf_addc(&body, '\n');
    call_json(c, c->ok_status ? c->ok_status : 200, &body);
}

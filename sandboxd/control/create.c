/* SPDX-License-Identifier: Apache-2.0 */
/* POST /sandboxes: from a request to a sandbox that is ready. */
#include "sandboxd/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/json/json.h"
#include "common/log.h"
#include "sandboxd/sandbox/tree_copy.h"

#include "common/banned.h"

enum { CREATE_BODY_MAX = 1 << 20, CREATE_DEADLINE_MS = 65000 };

struct creation {      /* until it is answered */
    struct request *r; /* NULL: the client is gone; it goes on */
    struct sandbox *sb;
    char *key; /* Idempotency-Key; NULL: none */
    struct template template;
    struct life_waiter waiter; /* on the sandbox's end */
    struct child copier;
    struct timer *deadline;
    uint32_t ticket; /* of a question to init; 0: none */
};

static void next_copy(struct creation *c);
static void next_init(struct creation *c);
static void next_start(struct creation *c);

/* --- its end ------------------------------------------------------------------------ */

static struct server *server_of(const struct creation *c)
{
    return CONTAINER_OF(c->sb->fleet, struct server, fleet);
}

static void creation_free(struct creation *c)
{
    if (c->r != NULL) {
        c->r->state = NULL;
        c->r->gone = NULL;
    }
    if (c->ticket != 0)
        sandbox_forget(c->sb, c->ticket);
    fleet_forget(&c->copier);
    timer_free(c->deadline);
    free(c->key);
    free(c);
}

static void on_client_gone(struct request *r)
{
    struct creation *c = r->state;

    c->r = NULL;
}

/* The sandbox is ending, or is being ended by us, and forgets us. */
static void fail(struct creation *c, const char *reason)
{
    struct request *r = c->r;

    if (c->key != NULL)
        idempotency_drop(server_of(c)->created, str_of(c->key));
    log_event(LOG_WARN, "sandbox.create", LF("sandbox", c->sb->id), LF("failed", reason));
    creation_free(c);
    if (r != NULL)
        request_error_code(r, 500, "sandbox_create_failed", "cannot create the sandbox: %s",
                           reason);
}

static void give_up(struct creation *c, const char *reason)
{
    struct sandbox *sb = c->sb;

    life_unwait(&c->waiter);
    fail(c, reason);
    sandbox_kill(sb, "not created", NULL);
}

static void on_ended(struct life_waiter *w, int errnum)
{
    (void)errnum;
    fail(CONTAINER_OF(w, struct creation, waiter), "it ended before it was ready");
}

static void on_deadline(void *ctx)
{
    give_up(ctx, "it was not ready in time");
}

static void ready(struct creation *c)
{
    struct sandbox *sb = c->sb;
    struct server *s = server_of(c);
    struct request *r = c->r;
    AUTO_BUF answer = BUF_INIT(8192);

    life_unwait(&c->waiter);
    life_ready(sb);
    sandbox_json(sb, &answer);
    if (c->key != NULL)
        idempotency_keep(s->created, str_of(c->key), buf_str(&answer));
    creation_free(c);
    if (r != NULL)
        request_json(r, 201, &answer);
}

/* --- its steps ------------------------------------------------------------------------- */

struct copying {
    const char *from, *to;
};

static int copy_home(const void *ctx)
{
    static const struct tree_limits most = {COPY_BYTES_MAX, COPY_ENTRIES_MAX};
    const struct copying *c = ctx;

    return tree_copy(c->from, c->to, &most);
}

static void on_copied(struct child *child, int wait_status)
{
    struct creation *c = CONTAINER_OF(child, struct creation, copier);

    if (wait_status == 0)
        next_init(c);
    else
        give_up(c, "its snapshot cannot be copied");
}

static void next_copy(struct creation *c)
{
    const struct copying what = {c->template.home, c->sb->home};
    struct err e = ERR_INIT;

    c->copier.exited = on_copied;
    if (c->template.home[0] == '\0')
        next_init(c);
    else if (fleet_fork(c->sb->fleet, &c->copier, copy_home, &what, &e) != ERR_OK)
        give_up(c, e.msg);
}

static void on_init_answered(void *ctx, int errnum, int fd)
{
    struct creation *c = ctx;

    (void)fd;
    c->ticket = 0;
    if (errnum == ESRCH) /* the sandbox is ending: on_ended() says so */
        return;
    if (errnum == 0)
        next_start(c);
    else
        give_up(c, strerror(errnum));
}

/* A question that changes nothing: its answer says that the first process serves. */
static void next_init(struct creation *c)
{
    struct err e = ERR_INIT;

    if (sandbox_resume(c->sb, on_init_answered, c, &c->ticket, &e) != ERR_OK)
        give_up(c, e.msg);
}

static void on_started(void *ctx, int wait_status)
{
    struct creation *c = ctx;
    char text[128];

    if (wait_status == 0) {
        ready(c);
        return;
    }
    (void)snprintf(text, sizeof(text), "its template's start command ended with %s %d",
                   WIFSIGNALED(wait_status) ? "signal" : "status",
                   WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
    give_up(c, wait_status < 0 ? "its template's start command cannot be run" : text);
}

static void next_start(struct creation *c)
{
    static const char script[] = "exec \"$0\"/../start >\"$HOME/.start.log\" 2>&1";
    const char *const argv[] = {"/bin/sh", "-c", script, sandbox_bin(c->sb), NULL};
    struct err e = ERR_INIT;

    if (!c->template.starts) {
        ready(c);
        return;
    }
    timer_start(c->deadline, c->template.start_timeout_ms);
    if (sandbox_run(c->sb, argv, on_started, c, &e) != ERR_OK)
        give_up(c, e.msg);
}

/* --- its begin --------------------------------------------------------------------------- */

static enum err_code mark_isolation(const struct server *s, struct sandbox *sb)
{
    cJSON_DeleteItemFromObjectCaseSensitive(sb->metadata, ISOLATION_KEY);
    return cJSON_AddStringToObject(sb->metadata, ISOLATION_KEY,
                                   isolation_name(s->isolation.want.level)) != NULL
               ? ERR_OK
               : ERR_NOMEM;
}

/* 0 or the status of the answer. */
static int find_template(const struct server *s, struct str text, struct template *out,
                         struct err *err)
{
    struct template_ref ref;

    if (template_ref_parse(text, &ref, err) != ERR_OK)
        return 400;
    return template_find(&s->snapshots, &ref, out, err) == ERR_OK ? 0 : 404;
}

/* 0 or the status of the answer. */
static int make_sandbox(struct server *s, const struct new_sandbox *want, const struct template *t,
                        struct sandbox **out, struct err *err)
{
    const struct sandbox_want it = {.template = t->folder,
                                    .metadata = want->metadata,
                                    .env = want->env,
                                    .timeout_ms = want->timeout_s * 1000};
    enum err_code rc = sandbox_create(&s->fleet, &it, out, err);

    if (rc != ERR_OK)
        return rc == ERR_CAPACITY ? 429 : 500;
    if (mark_isolation(s, *out) == ERR_OK && life_begin(*out, t->id, want, err) == ERR_OK)
        return 0;
    sandbox_kill(*out, "not created", NULL);
    return 500;
}

/* 0: the answer comes later. */
static int begin(struct request *r, bool v2, struct str key, struct err *err)
{
    struct server *s = r->app;
    struct new_sandbox want;
    AUTO_JSON *body = request_object(r);
    struct creation *c;
    int status = 0;

    if (body == NULL)
        return 400;
    if (new_sandbox_parse(body, v2, &want, err) != ERR_OK)
        return 400;
    if ((c = calloc(1, sizeof(*c))) == NULL)
        return 500;
    status = find_template(s, want.template, &c->template, err);
    if (status == 0)
        status = make_sandbox(s, &want, &c->template, &c->sb, err);
    if (status != 0) {
        free(c);
        return status;
    }
    c->waiter.settled = on_ended;
    life_wait(c->sb, &c->waiter);
    c->r = r;
    r->state = c;
    r->gone = on_client_gone;
    c->key = key.p != NULL ? str_dup(key) : NULL;
    c->deadline = timer_new(s->fleet.loop, on_deadline, c);
    if (c->deadline == NULL || (key.p != NULL && c->key == NULL)) {
        give_up(c, "out of memory");
        return 0;
    }
    timer_start(c->deadline, CREATE_DEADLINE_MS);
    if (s->fleet.network_changed != NULL)
        s->fleet.network_changed(c->sb);
    next_copy(c);
    return 0;
}

static void create(struct request *r, bool v2, struct str key)
{
    struct server *s = r->app;
    struct err e = ERR_INIT;
    int status = r->body.len > CREATE_BODY_MAX ? 413 : begin(r, v2, key, &e);

    if (status == 0)
        return;
    if (key.p != NULL)
        idempotency_drop(s->created, key);
    if (status == 413)
        request_error(r, 413, "the body is over %d bytes", CREATE_BODY_MAX);
    else if (status == 500)
        request_error_code(r, 500, "sandbox_create_failed", "cannot create the sandbox: %s", e.msg);
    else
        request_error(r, status, "%s", e.msg);
}

void handle_create_v1(struct request *r)
{
    create(r, false, (struct str){0});
}

void handle_create_v2(struct request *r)
{
    struct server *s = r->app;
    const char *header = request_header(r, "Idempotency-Key");
    struct str key = {header, header != NULL ? strlen(header) : 0}, known = STR("");
    AUTO_BUF answer = BUF_INIT(8192);

    if (header == NULL) {
        create(r, true, key);
        return;
    }
    if (!idempotency_key_valid(key)) {
        request_error(r, 400, "Idempotency-Key must be 1 to 255 of a-z, 0-9 and -");
        return;
    }
    switch (idempotency_begin(s->created, key, buf_str(&r->body), &known)) {
    case IDEM_NEW:
        create(r, true, key);
        break;
    case IDEM_SAME:
        buf_addstr(&answer, known);
        request_json(r, 201, &answer);
        break;
    case IDEM_OTHER_BODY:
        request_error_code(r, 422, "idempotency_request_mismatch",
                           "the Idempotency-Key was used for another request");
        break;
    case IDEM_IN_PROGRESS:
        request_error_code(r, 409, "idempotency_in_progress",
                           "the request with this Idempotency-Key is still under way");
        break;
    }
}

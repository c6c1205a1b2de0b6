/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: taking a snapshot: hold the processes, copy, let them go. */
#include "sandboxd/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/log.h"
#include "sandboxd/sandbox/tree_copy.h"

#include "common/banned.h"

struct saving {
    struct request *r; /* NULL: the client is gone; it goes on */
    struct sandbox *sb;
    struct snapshot *one;
    struct life_waiter waiter; /* on the sandbox's end */
    struct child copier;
    struct timer *deadline;
    uint32_t ticket; /* of a question to init; 0: none */
    bool copied;
};

static struct server *server_of(const struct saving *v)
{
    return CONTAINER_OF(v->sb->fleet, struct server, fleet);
}

static void saving_gone(struct request *r)
{
    struct saving *v = r->state;

    v->r = NULL;
}

/* The request, for its answer; NULL: nobody waits. */
static struct request *saving_free(struct saving *v)
{
    struct request *r = v->r;

    if (r != NULL) {
        r->state = NULL;
        r->gone = NULL;
    }
    if (v->ticket != 0)
        sandbox_forget(v->sb, v->ticket);
    fleet_forget(&v->copier);
    timer_free(v->deadline);
    free(v);
    return r;
}

static void drop(struct saving *v)
{
    struct server *s = server_of(v);

    snapshot_remove(&s->snapshots, &s->fleet, v->one);
    v->one = NULL;
}

static void on_sandbox_end(struct life_waiter *w, int errnum)
{
    struct saving *v = CONTAINER_OF(w, struct saving, waiter);

    (void)errnum;
    drop(v);
    struct request *r = saving_free(v);
    if (r != NULL)
        control_not_found(r, r->param);
}

/* The processes run again. */
static void finish(struct saving *v)
{
    struct server *s = server_of(v);
    struct sandbox *sb = v->sb;
    AUTO_BUF body = BUF_INIT(4096);
    struct err e = ERR_INIT;
    bool good = v->copied && snapshot_finish(&s->snapshots, v->one, &e) == ERR_OK;

    life_unwait(&v->waiter);
    if (good) {
        snapshot_json(v->one, &body);
        log_event(LOG_INFO, "snapshot.made", LF("sandbox", sb->id), LF("snapshot", v->one->id));
    } else {
        drop(v);
    }
    struct request *r = saving_free(v);
    life_let_go(sb, good);
    if (r == NULL)
        return;
    if (good)
        request_json(r, 201, &body);
    else
        request_error(r, 500, "cannot copy the sandbox's files%s%s", e.code != ERR_OK ? ": " : "",
                      e.msg);
}

static void on_let_go(void *ctx, int errnum, int fd)
{
    struct saving *v = ctx;

    (void)fd;
    v->ticket = 0;
    if (errnum != ESRCH)
        finish(v);
}

static void let_go(struct saving *v)
{
    struct err e = ERR_INIT;

    timer_stop(v->deadline);
    if (sandbox_resume(v->sb, on_let_go, v, &v->ticket, &e) == ERR_OK)
        return;
    log_event(LOG_WARN, "snapshot.resume", LF("sandbox", v->sb->id), LF_ERR(&e));
    timer_start(v->deadline, 100); /* it is too busy: again */
}

static void on_copied(struct child *child, int wait_status)
{
    struct saving *v = CONTAINER_OF(child, struct saving, copier);

    v->copied = wait_status == 0;
    if (!v->sb->ending)
        let_go(v);
}

static void on_deadline(void *ctx)
{
    struct saving *v = ctx;

    fleet_forget(&v->copier);
    let_go(v);
}

struct copying {
    const char *from;
    char to[SNAPSHOT_PATH_ROOM];
};

static int copy_home(const void *ctx)
{
    static const struct tree_limits most = {COPY_BYTES_MAX, COPY_ENTRIES_MAX};
    const struct copying *c = ctx;

    return tree_copy(c->from, c->to, &most);
}

static void on_still(void *ctx, int errnum, int fd)
{
    struct saving *v = ctx;
    struct copying what = {.from = v->sb->home};
    struct err e = ERR_INIT;

    (void)fd;
    v->ticket = 0;
    if (errnum == ESRCH)
        return;
    snapshot_home(&server_of(v)->snapshots, v->one, what.to);
    v->copier.exited = on_copied;
    timer_start(v->deadline, COPY_DEADLINE_MS);
    if (errnum != 0 || fleet_fork(v->sb->fleet, &v->copier, copy_home, &what, &e) != ERR_OK)
        let_go(v);
}

/* Its files only: memory cannot be had. */
static bool name_ok(struct request *r, const cJSON *body, struct snapshot *one)
{
    const struct server *s = r->app;
    const cJSON *name = json_get(body, "name");
    struct template_ref ref = {0};
    struct template other;
    bool memory = false;

    if (json_get_bool(body, "memory", &memory) && memory) {
        request_error(r, 400, "'memory' true is not supported here: a snapshot has the files only");
        return false;
    }
    if (name == NULL || cJSON_IsNull(name))
        return true;
    if (!cJSON_IsString(name) ||
        template_ref_parse(str_of(name->valuestring), &ref, NULL) != ERR_OK) {
        request_error(r, 400, "'name' cannot be a snapshot's name");
        return false;
    }
    if (snapshots_find(&s->snapshots, ref.name) == NULL &&
        template_find(&s->snapshots, &ref, &other, NULL) == ERR_OK) {
        request_error(r, 409, "'name' is a template's: '%s'", ref.name);
        return false;
    }
    memcpy(one->name, ref.name, sizeof(one->name));
    return true;
}

static struct saving *saving_new(struct request *r, struct sandbox *sb, struct snapshot *one)
{
    struct saving *v = calloc(1, sizeof(*v));

    if (v == NULL || (v->deadline = timer_new(sb->fleet->loop, on_deadline, v)) == NULL) {
        free(v);
        return NULL;
    }
    v->r = r;
    v->sb = sb;
    v->one = one;
    v->waiter.settled = on_sandbox_end;
    r->state = v;
    r->gone = saving_gone;
    return v;
}

static void save(struct request *r, struct sandbox *sb, const struct snapshot *named)
{
    struct server *s = r->app;
    struct snapshot *one = NULL;
    struct saving *v = NULL;
    struct err e = ERR_INIT;
    enum err_code rc = snapshot_begin(&s->snapshots, &s->identity, &one, &e);

    if (rc == ERR_OK) {
        memcpy(one->name, named->name, sizeof(one->name));
        memcpy(one->sandbox, sb->id, sizeof(one->sandbox));
        (void)strncpy(one->template, sb->template, sizeof(one->template) - 1);
        v = saving_new(r, sb, one);
        rc = v != NULL ? sandbox_pause(sb, on_still, v, &v->ticket, &e) : ERR_NOMEM;
    }
    if (rc == ERR_OK && life_hold(sb, &e) == ERR_OK) {
        life_wait(sb, &v->waiter);
        return;
    }
    if (one != NULL)
        snapshot_remove(&s->snapshots, &s->fleet, one);
    if (v != NULL)
        (void)saving_free(v);
    request_error(r, rc == ERR_IO ? 500 : 503, "cannot take a snapshot: %s", e.msg);
}

void handle_snapshot(struct request *r)
{
    struct sandbox *sb = request_running(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct snapshot named = {0};

    if (body == NULL || !name_ok(r, body, &named))
        return;
    if (life_next(sb->life->state, EV_SAVE) == LIFE_NONE)
        request_error(r, 409, "Sandbox '%s' is still transitioning: try again", sb->id);
    else
        save(r, sb, &named);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: snapshots, and the templates there are. */
#include "sandboxd/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "sandboxd/sandbox/tree_copy.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

enum { PAGE_MAX = 100, LIST_BYTES = 4 << 20 };

/* --- taking one: hold the processes, copy, let them go ------------------------------------ */

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

static void put_snapshot(const struct snapshot *one, struct buf *out)
{
    buf_adds(out, "{");
    json_kv(out, "snapshotID", one->id);
    json_key(out, "names");
    buf_adds(out, "[");
    if (one->name[0] != '\0')
        json_put_string(out, str_of(one->name));
    buf_adds(out, "]}");
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
        put_snapshot(v->one, &body);
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

/* --- which there are ------------------------------------------------------------------------- */

static bool is_after(const struct snapshot *one, const struct page_mark *after)
{
    return after->id[0] == '\0' || one->made_ms < after->started_ms ||
           (one->made_ms == after->started_ms && strcmp(one->id, after->id) < 0);
}

static bool is_wanted(const struct request *r, const struct snapshot *one)
{
    struct str sandbox = request_query(r, "sandboxID"), name = request_query(r, "name");

    return (sandbox.p == NULL || str_is(sandbox, one->sandbox)) &&
           (name.p == NULL || str_is(name, one->name) || str_is(name, one->id));
}

void handle_snapshots(struct request *r)
{
    const struct server *s = r->app;
    AUTO_BUF body = BUF_INIT(LIST_BYTES), token = BUF_INIT(256);
    struct page_mark after = {0};
    const struct snapshot *one, *last = NULL;
    struct str text = request_query(r, "nextToken");
    int64_t limit = PAGE_MAX, n = 0;

    if (!query_int(r, "limit", 1, PAGE_MAX, &limit))
        return;
    if (text.p != NULL && !page_token_parse(text, &after)) {
        request_error(r, 400, "Invalid next token");
        return;
    }
    buf_adds(&body, "[");
    TAILQ_FOREACH(one, &s->snapshots.all, link)
    {
        if (!is_after(one, &after) || !is_wanted(r, one))
            continue;
        if (n++ == limit)
            break;
        buf_adds(&body, n > 1 ? "," : "");
        put_snapshot(one, &body);
        last = one;
    }
    buf_adds(&body, "]");
    request_json(r, 200, &body);
    if (one == NULL || last == NULL)
        return;
    struct page_mark mark = {.started_ms = last->made_ms};
    memcpy(mark.id, last->id, sizeof(last->id));
    page_token(&mark, &token);
    (void)MHD_add_response_header(r->response, "X-Next-Token", token.p);
}

/* Only snapshots: the other templates are whoever's who runs the server. */
void handle_template_delete(struct request *r)
{
    struct server *s = r->app;
    struct template_ref ref;
    struct template other;

    if (template_ref_parse(r->param, &ref, NULL) != ERR_OK) {
        request_error(r, 404, "template '" STR_FMT "' not found", STR_ARG(r->param));
        return;
    }
    struct snapshot *one = snapshots_find(&s->snapshots, ref.name);
    if (one != NULL) {
        snapshot_remove(&s->snapshots, &s->fleet, one);
        request_empty(r, 204);
    } else if (template_find(&s->snapshots, &ref, &other, NULL) == ERR_OK) {
        request_error(r, 403, "template '%s' is a folder of this server's: remove it there",
                      ref.name);
    } else {
        request_error(r, 404, "template '%s' not found", ref.name);
    }
}

/* --- templates ----------------------------------------------------------------------------------
 */

static void put_template(struct request *r, struct buf *out, const char *id, int64_t made_ms)
{
    const struct server *s = r->app;
    char at[CLOCK_TEXT];

    buf_adds(out, out->len > 1 ? ",{" : "{");
    json_kv(out, "templateID", id);
    json_kv(out, "buildID", id);
    json_kv_int(out, "cpuCount", sysconf(_SC_NPROCESSORS_ONLN));
    json_kv_int(out, "memoryMB", (sysconf(_SC_PHYS_PAGES) >> 10) * (sysconf(_SC_PAGESIZE) >> 10));
    json_kv_int(out, "diskSizeMB", disk_size(s->fleet.data) >> 20);
    json_kv_bool(out, "public", false);
    for (int i = 0; i < 2; i++) {
        json_key(out, i == 0 ? "aliases" : "names");
        buf_adds(out, "[");
        json_put_string(out, str_of(id));
        buf_adds(out, "]");
    }
    json_kv(out, "createdAt", clock_rfc3339(made_ms, at));
    json_kv(out, "updatedAt", clock_rfc3339(made_ms, at));
    json_kv_raw(out, "createdBy", STR("null"));
    json_kv_raw(out, "lastSpawnedAt", STR("null"));
    json_kv_int(out, "spawnCount", 0);
    json_kv_int(out, "buildCount", 1);
    json_kv(out, "envdVersion", ENVD_VERSION);
    json_kv(out, "buildStatus", "ready");
    buf_adds(out, "}");
}

struct listing {
    struct request *r;
    struct buf *out;
};

static void put_folder(void *ctx, const char *name)
{
    const struct listing *l = ctx;
    struct template_ref ref;

    if (template_ref_parse(str_of(name), &ref, NULL) == ERR_OK && strcmp(ref.name, name) == 0)
        put_template(l->r, l->out, name, 0);
}

void handle_templates(struct request *r)
{
    const struct server *s = r->app;
    AUTO_BUF body = BUF_INIT(LIST_BYTES);
    struct listing l = {r, &body};
    const struct snapshot *one;

    buf_adds(&body, "[");
    template_each(&s->snapshots, put_folder, &l);
    TAILQ_FOREACH(one, &s->snapshots.all, link)
    put_template(r, &body, one->id, one->made_ms);
    buf_adds(&body, "]");
    request_json(r, 200, &body);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: the snapshots and templates there are. */
#include "sandboxd/control/control.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

enum { PAGE_MAX = 100, LIST_BYTES = 4 << 20 };

void snapshot_json(const struct snapshot *one, struct buf *out)
{
    buf_adds(out, "{");
    json_kv(out, "snapshotID", one->id);
    json_key(out, "names");
    buf_adds(out, "[");
    if (one->name[0] != '\0')
        json_put_string(out, str_of(one->name));
    buf_adds(out, "]}");
}

/* --- snapshots ---------------------------------------------------------------- */

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
        snapshot_json(one, &body);
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

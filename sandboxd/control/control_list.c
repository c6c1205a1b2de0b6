/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: looking at sandboxes. */
#include "sandboxd/control/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

enum { PAGE_MAX = 100, OLD_LIST_MAX = 5000, LIST_BYTES = 32 << 20 };

void handle_health(struct request *r)
{
    const struct server *s = r->app;
    AUTO_BUF body = BUF_INIT(4096);

    buf_adds(&body, "{");
    json_kv(&body, "status", "ok");
    json_kv(&body, "isolation", isolation_name(s->isolation.want.level));
    json_kv(&body, "mechanisms", s->isolation.text);
    if (*s->isolation.warning != '\0')
        json_kv(&body, "warning", s->isolation.warning);
    json_kv_int(&body, "sandboxes", s->fleet.count);
    json_kv_int(&body, "max_sandboxes", s->fleet.max_sandboxes);
    buf_adds(&body, "}");
    request_json(r, 200, &body);
}

/* The members that list and detail share. */
static void put_listed(struct buf *b, const struct sandbox *sb, int64_t disk_mb)
{
    char at[CLOCK_TEXT];
    char *metadata = cJSON_PrintUnformatted(sb->metadata);

    json_kv(b, "templateID", sb->life->template_id);
    json_kv(b, "alias", sb->template);
    json_kv(b, "sandboxID", sb->id);
    json_kv(b, "clientID", "sandfleet");
    json_kv(b, "startedAt", clock_rfc3339(sb->started_ms, at));
    json_kv(b, "endAt", clock_rfc3339(sb->end_ms, at));
    json_kv_int(b, "cpuCount", sandbox_cpu_count(sb));
    json_kv_int(b, "memoryMB", sandbox_memory_bytes(sb) >> 20);
    json_kv_int(b, "diskSizeMB", disk_mb);
    json_kv(b, "state", life_paused(sb) ? "paused" : "running");
    json_kv(b, "envdVersion", ENVD_VERSION);
    if (metadata != NULL)
        json_kv_raw(b, "metadata", str_of(metadata));
    cJSON_free(metadata);
}

/* The members that only the detail has. */
static void put_detail(struct buf *b, const struct sandbox *sb)
{
    const struct life *l = sb->life;
    AUTO_JSON *shown = sb->network != NULL ? network_shown(sb->network) : NULL;
    char *network = shown != NULL ? cJSON_PrintUnformatted(shown) : NULL;

    if (l->secure)
        json_kv(b, "envdAccessToken", sb->token);
    json_kv_raw(b, "domain", STR("null"));
    if (l->internet == UNTOLD)
        json_kv_raw(b, "allowInternetAccess", STR("null"));
    else
        json_kv_bool(b, "allowInternetAccess", l->internet == YES);
    if (network != NULL)
        json_kv_raw(b, "network", str_of(network));
    cJSON_free(network);
    json_key(b, "lifecycle");
    buf_adds(b, "{");
    json_kv_bool(b, "autoResume", l->auto_resume);
    json_kv(b, "onTimeout", l->auto_pause ? "pause" : "kill");
    buf_adds(b, "}");
    if (l->state == LIFE_PAUSED)
        json_kv(b, "pauseMode", "full");
}

void handle_get(struct request *r)
{
    const struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(1 << 20);

    if (sb == NULL)
        return;
    buf_adds(&body, "{");
    put_listed(&body, sb, disk_size(sb->fleet->data) >> 20);
    put_detail(&body, sb);
    buf_adds(&body, "}");
    request_json(r, 200, &body);
}

/* --- lists -------------------------------------------------------------------- */

struct listing {
    struct str metadata;  /* the filter; p NULL: none */
    bool running, paused; /* the states asked for */
    bool ascending;
    size_t limit;
    int64_t started_after;  /* 0: any */
    struct page_mark after; /* id empty: from the start */
    const char *template;   /* NULL: any */
};

static bool states_ok(struct request *r, struct listing *q)
{
    struct str s = request_query(r, "state"), one;

    q->running = q->paused = s.p == NULL;
    while (str_next(&s, ',', &one)) {
        if (str_is(one, "running")) {
            q->running = true;
        } else if (str_is(one, "paused")) {
            q->paused = true;
        } else {
            request_error(r, 400, "'state' must be running, paused or both");
            return false;
        }
    }
    return true;
}

static bool order_ok(struct request *r, struct listing *q)
{
    struct str order = request_query(r, "order"), token = request_query(r, "nextToken"),
               after = request_query(r, "startedAfter");

    q->ascending = str_is(order, "asc");
    if (order.p != NULL && !q->ascending && !str_is(order, "desc"))
        request_error(r, 400, "'order' must be asc or desc");
    else if (token.p != NULL &&
             (!page_token_parse(token, &q->after) || q->after.ascending != q->ascending))
        request_error(r, 400, "Invalid next token");
    else if (after.p != NULL && !clock_parse_rfc3339(after, &q->started_after))
        request_error(r, 400, "'startedAfter' must be an RFC 3339 time");
    else
        return true;
    return false;
}

/* < 0: a comes before b in ascending order. */
static int compare(int64_t a_ms, const char *a, int64_t b_ms, const char *b)
{
    return a_ms != b_ms ? (a_ms < b_ms ? -1 : 1) : strcmp(a, b);
}

static bool is_listed(const struct listing *q, const struct sandbox *sb, enum err_code *rc)
{
    if (!life_shown(sb) || !(life_paused(sb) ? q->paused : q->running) ||
        sb->started_ms < q->started_after)
        return false;
    if (q->template != NULL && strcasecmp(q->template, sb->template) != 0 &&
        strcasecmp(q->template, sb->life->template_id) != 0)
        return false;
    if (q->after.id[0] != '\0') {
        int c = compare(sb->started_ms, sb->id, q->after.started_ms, q->after.id);

        if (q->ascending ? c <= 0 : c >= 0)
            return false;
    }
    return q->metadata.p == NULL || metadata_matches(q->metadata, sb->metadata, rc);
}

static int by_start(const void *a, const void *b)
{
    const struct sandbox *x = *(const struct sandbox *const *)a;
    const struct sandbox *y = *(const struct sandbox *const *)b;

    return compare(x->started_ms, x->id, y->started_ms, y->id);
}

static void put_page(struct buf *b, const struct listing *q, const struct sandbox *const *found,
                     size_t n, int64_t disk_mb)
{
    buf_adds(b, "[");
    for (size_t i = 0; i < n && i < q->limit; i++) {
        if (i > 0)
            buf_adds(b, ",");
        buf_adds(b, "{");
        put_listed(b, found[q->ascending ? i : n - 1 - i], disk_mb);
        buf_adds(b, "}");
    }
    buf_adds(b, "]");
}

static void add_headers(struct request *r, const struct listing *q,
                        const struct sandbox *const *found, size_t n)
{
    const struct server *s = r->app;
    AUTO_BUF token = BUF_INIT(512), running = BUF_INIT(32);
    const struct sandbox *sb;
    long long total = 0;

    TAILQ_FOREACH(sb, &s->fleet.all, link)
    total += life_shown(sb) && !life_paused(sb);
    buf_addf(&running, "%lld", total);
    (void)MHD_add_response_header(r->response, "X-Total-Running", running.p);
    if (n <= q->limit)
        return;
    const struct sandbox *last = found[q->ascending ? q->limit - 1 : n - q->limit];
    struct page_mark mark = {.started_ms = last->started_ms, .ascending = q->ascending};
    (void)memcpy(mark.id, last->id, sizeof(last->id));
    page_token(&mark, &token);
    (void)MHD_add_response_header(r->response, "X-Next-Token", token.p);
}

static void answer_list(struct request *r, const struct listing *q)
{
    const struct server *s = r->app;
    const struct sandbox **found =
        calloc((size_t)s->fleet.count + 1, sizeof(const struct sandbox *));
    const struct sandbox *sb;
    enum err_code rc = found != NULL ? ERR_OK : ERR_NOMEM;
    size_t n = 0;
    AUTO_BUF body = BUF_INIT(LIST_BYTES);

    TAILQ_FOREACH(sb, &s->fleet.all, link)
    if (rc == ERR_OK && is_listed(q, sb, &rc))
        found[n++] = sb;
    if (rc == ERR_OK) {
        qsort(found, n, sizeof(const struct sandbox *), by_start);
        if (q->limit == OLD_LIST_MAX && n > OLD_LIST_MAX) {
            request_error(r, 400, "more than %d sandboxes: use the list with pages", OLD_LIST_MAX);
            free(found);
            return;
        }
        put_page(&body, q, found, n, disk_size(s->fleet.data) >> 20);
        request_json(r, 200, &body);
        add_headers(r, q, found, n);
    } else {
        request_error(r, rc == ERR_NOMEM ? 500 : 400, "'metadata' cannot be decoded");
    }
    free(found);
}

void handle_list_v1(struct request *r)
{
    const struct listing q = {.metadata = request_query(r, "metadata"),
                              .running = true,
                              .ascending = true,
                              .limit = OLD_LIST_MAX};

    answer_list(r, &q);
}

void handle_list_v2(struct request *r)
{
    struct listing q = {.metadata = request_query(r, "metadata"),
                        .template = request_query(r, "template").p};
    int64_t limit = PAGE_MAX;

    if (query_int(r, "limit", 1, PAGE_MAX, &limit) && states_ok(r, &q) && order_ok(r, &q)) {
        q.limit = (size_t)limit;
        answer_list(r, &q);
    }
}

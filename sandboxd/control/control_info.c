/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: metrics, logs, events. */
#include "sandboxd/control/control.h"

#include <string.h>

#include "common/json/json.h"

#include "common/banned.h"

enum {
    MANY_MAX = 100,
    METRICS_BYTES = 1 << 20,
    LOGS_BYTES = 4 << 20,
    EVENTS_PAGE_MAX = 100,
    EVENTS_PAGE = 10
};
#define SECONDS_MAX ((int64_t)1 << 36)
#define MS_MAX      ((int64_t)1 << 46)

/* --- metrics ---------------------------------------------------------------------- */

static void look(struct sandbox *sb)
{
    usage_look(&sb->life->usage, sb);
}

void handle_metrics(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(METRICS_BYTES);
    int64_t start = 0, end = 0;

    if (sb == NULL || !query_int(r, "start", 0, SECONDS_MAX, &start) ||
        !query_int(r, "end", 0, SECONDS_MAX, &end))
        return;
    look(sb);
    buf_adds(&body, "[");
    usage_put(&sb->life->usage, start, end, &body);
    buf_adds(&body, "]");
    request_json(r, 200, &body);
}

void handle_metrics_of_many(struct request *r)
{
    struct server *s = r->app;
    struct str ids = request_query(r, "sandbox_ids"), one, id;
    AUTO_BUF body = BUF_INIT(METRICS_BYTES);
    int n = 0;

    buf_adds(&body, "{\"sandboxes\":{");
    while (str_next(&ids, ',', &one)) {
        struct sandbox *sb = sandbox_id_parse(one, &id) ? sandbox_find(&s->fleet, id) : NULL;

        if (++n > MANY_MAX) {
            request_error(r, 400, "'sandbox_ids' must be at most %d", MANY_MAX);
            return;
        }
        if (sb == NULL || !life_shown(sb))
            continue;
        look(sb);
        json_key(&body, sb->id);
        usage_put_last(&sb->life->usage, &body);
    }
    buf_adds(&body, "}}");
    request_json(r, 200, &body);
}

/* --- logs ---------------------------------------------------------------------------- */

static bool log_query(struct request *r, const char *cursor, struct journal_query *q)
{
    struct str direction = request_query(r, "direction"), level = request_query(r, "level");
    int64_t limit = JOURNAL_PAGE_MAX;

    *q = (struct journal_query){.cursor_ms = -1, .search = request_query(r, "search")};
    if (!query_int(r, cursor, 0, MS_MAX, &q->cursor_ms) ||
        !query_int(r, "limit", 0, JOURNAL_PAGE_MAX, &limit))
        return false;
    q->limit = (size_t)limit;
    q->backward = str_is(direction, "backward");
    if (direction.p != NULL && !q->backward && !str_is(direction, "forward"))
        request_error(r, 400, "'direction' must be forward or backward");
    else if (level.p != NULL && !journal_level_parse(level, &q->least))
        request_error(r, 400, "'level' must be debug, info, warn or error");
    else if (q->search.n > JOURNAL_SEARCH_MAX)
        request_error(r, 400, "'search' must be at most %d bytes", JOURNAL_SEARCH_MAX);
    else
        return true;
    return false;
}

void handle_logs_v2(struct request *r)
{
    const struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(LOGS_BYTES);
    struct journal_query q;

    if (sb == NULL || !log_query(r, "cursor", &q))
        return;
    buf_adds(&body, "{\"logs\":[");
    journal_put(&sb->life->log, &q, false, &body);
    buf_adds(&body, "]}");
    request_json(r, 200, &body);
}

void handle_logs_v1(struct request *r)
{
    const struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(LOGS_BYTES);
    struct journal_query q;

    if (sb == NULL || !log_query(r, "start", &q))
        return;
    buf_adds(&body, "{\"logs\":[");
    journal_put(&sb->life->log, &q, true, &body);
    buf_adds(&body, "],\"logEntries\":[");
    journal_put(&sb->life->log, &q, false, &body);
    buf_adds(&body, "]}");
    request_json(r, 200, &body);
}

/* --- events ------------------------------------------------------------------------------ */

void handle_events(struct request *r)
{
    const struct server *s = r->app;
    struct str ascending = request_query(r, "orderAsc"), id = r->param;
    struct lifecycle_query q = {.types = request_query(r, "types"),
                                .ascending = str_is(ascending, "true")};
    AUTO_BUF body = BUF_INIT(LOGS_BYTES);
    int64_t offset = 0, limit = EVENTS_PAGE;

    if (!query_int(r, "offset", 0, INT32_MAX, &offset) ||
        !query_int(r, "limit", 1, EVENTS_PAGE_MAX, &limit))
        return;
    if (id.n > 0 && !sandbox_id_parse(r->param, &id)) {
        control_not_found(r, r->param);
        return;
    }
    q.sandbox = id; /* events outlive their sandbox */
    q.offset = (size_t)offset;
    q.limit = (size_t)limit;
    buf_adds(&body, "[");
    lifecycle_put(s->lifecycle, &q, &body);
    buf_adds(&body, "]");
    request_json(r, 200, &body);
}

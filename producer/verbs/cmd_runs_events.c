/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs logs|events` through the API: what a run printed, and what happened in it. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "producer/api/api_show.h"
#include "producer/api/json_array.h"
#include "producer/show/render.h"
#include "producer/show/term_text.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

#define NDJSON "application/x-ndjson"

enum { LINE_MAX = 4 << 20, PAGE = 100, PAGE_MAX = 128 << 20 };

/* --- logs ----------------------------------------------------------------------- */

struct log_out {
    struct render render;
    struct buf out;
    struct err err;
};

static bool on_raw(void *ctx, struct str piece)
{
    struct log_out *l = ctx;

    return api_show_put(piece, &l->err) == ERR_OK;
}

static bool on_line(void *ctx, struct str line)
{
    struct log_out *l = ctx;

    buf_clear(&l->out);
    render_native(&l->render, line, &l->out);
    return api_show_put(buf_str(&l->out), &l->err) == ERR_OK;
}

static enum err_code get_log(struct api_client *a, const struct runs_client *c, const char *run_id,
                             struct log_out *l, struct err *err)
{
    AUTO_BUF path = BUF_INIT(1024);

    api_path(&path, "/v1/runs/%s/log", run_id);
    if (c->attempt)
        api_query_int(&path, "attempt", c->attempt);
    if (c->c.output == OUTPUT_TEXT)
        return api_pipe_lines(a, path.p, NDJSON, on_line, l, err);
    return api_pipe(a, path.p, NDJSON, on_raw, l, err);
}

int command_runs_logs(struct client *c, int n, char **words)
{
    struct terminal t = terminal_of(STDOUT_FILENO);
    struct log_out l = {.out = BUF_INIT(8 * LINE_MAX),
                        .render = {.colour = t.colour,
                                   .unicode = t.unicode,
                                   .full = c->full,
                                   .columns = t.terminal ? t.columns : 0}};
    struct api_client *a = NULL;
    struct err err = ERR_INIT;

    if (runs_check_ids(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK)
        (void)!get_log(a, (const struct runs_client *)c, words[0], &l, &err);
    if (l.err.code != ERR_OK)
        err = l.err;
    api_client_free(a);
    buf_release(&l.out);
    render_release(&l.render);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- events --------------------------------------------------------------------- */

static void event_text(const cJSON *e, struct buf *b)
{
    const char *tool = json_get_string(e, "tool");
    int64_t sequence = 0, attempt = 0, line = 0;
    char number[24] = "-";

    json_get_int(e, "sequence", &sequence);
    json_get_int(e, "attempt", &attempt);
    if (json_get_int(e, "line", &line))
        snprintf(number, sizeof(number), "%" PRId64, line);
    buf_addf(b, "%8" PRId64 "  %s  %" PRId64 ":%-6s  %s", sequence, json_get_string(e, "time"),
             attempt, number, json_get_string(e, "type"));
    if (tool) {
        buf_adds(b, "  ");
        term_text_safe(b, str_of(tool));
    }
    buf_addc(b, '\n');
}

struct paging {
    struct api_client *api;
    const struct client *c;
    const char *run_id;
    int64_t since, told;
    bool more;
};

static enum err_code put_event(struct paging *p, struct str text, struct buf *out, struct err *err)
{
    AUTO_JSON *e = NULL;

    if (p->c->output == OUTPUT_TEXT) {
        if (json_parse(text, 0, &e, err) != ERR_OK)
            return err->code;
        event_text(e, out);
    } else {
        if (p->c->output == OUTPUT_JSON && p->told > 0)
            buf_addc(out, ',');
        buf_addstr(out, text);
        if (p->c->output == OUTPUT_JSONL)
            buf_addc(out, '\n');
    }
    p->told++;
    return ERR_OK;
}

/* What the page says of itself, without its events. */
static void keep_place(struct paging *p, struct str body)
{
    struct json_member m[8];
    struct json_scan scan;
    struct err err = ERR_INIT;

    p->more = false;
    if (json_scan(body, m, COUNTOF(m), &scan, &err) != ERR_OK)
        return;
    size_t n = scan.n_members < COUNTOF(m) ? scan.n_members : COUNTOF(m);
    p->more = str_int(json_member(m, n, "nextSequence"), INT64_MAX, &p->since) &&
              str_is(json_member(m, n, "hasMore"), "true");
}

static enum err_code events_page(struct paging *p, struct err *err)
{
    int64_t left = p->c->limit - p->told;
    AUTO_BUF path = BUF_INIT(1024), body = BUF_INIT(PAGE_MAX), out = BUF_INIT(PAGE_MAX);
    struct str events, e;

    api_path(&path, "/v1/runs/%s/events", p->run_id);
    api_query_int(&path, "since", p->since);
    api_query_int(&path, "limit", left < PAGE ? left : PAGE);
    if (api_get_text(p->api, path.p, &body, "events", &events, err) != ERR_OK)
        return err->code;
    while (json_array_next(&events, &e))
        if (put_event(p, e, &out, err) != ERR_OK)
            return err->code;
    keep_place(p, buf_str(&body));
    if (out.rc != ERR_OK)
        return err_set(err, out.rc, "a page of events");
    return api_show_put(buf_str(&out), err);
}

static enum err_code events_all(struct paging *p, struct err *err)
{
    AUTO_BUF foot = BUF_INIT(256);
    bool json = p->c->output == OUTPUT_JSON;
    enum err_code rc = json ? api_show_put(STR("{\"events\":["), err) : ERR_OK;

    do {
        if (rc == ERR_OK)
            rc = events_page(p, err);
    } while (rc == ERR_OK && p->more && p->told < p->c->limit);
    if (rc != ERR_OK)
        return rc;
    if (json)
        buf_addf(&foot, "],\"nextSequence\":%" PRId64 ",\"hasMore\":%s}\n", p->since,
                 p->more ? "true" : "false");
    else if (p->more)
        client_note("there is more: --limit, or --since %" PRId64, p->since);
    return api_show_put(buf_str(&foot), err);
}

int runs_events_by_api(struct client *c, const char *run_id)
{
    struct paging p = {.c = c, .run_id = run_id, .since = c->since};
    struct err err = ERR_INIT;

    if (api_client_new(c, &p.api, &err) == ERR_OK)
        (void)!events_all(&p, &err);
    api_client_free(p.api);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

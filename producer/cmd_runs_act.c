/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs result|retry|cancel|logs|events` through the API: what came out of a run, and
 * what is done about one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "producer/api_show.h"
#include "producer/api_wait.h"
#include "producer/cmd_runs.h"
#include "producer/json_array.h"
#include "producer/render.h"
#include "producer/term_text.h"
#include "common/banned.h"

#define NDJSON "application/x-ndjson"

enum { TEXT_MAX = 4 << 20, LINE_MAX = 4 << 20, PAGE = 100, PAGE_MAX = 128 << 20, WAIT_STEP_S = 60 };

/* --- result --------------------------------------------------------------------- */

/* With --wait, asked again as long as the run has not ended. */
static enum err_code get_result(struct api_client *a, const struct client *c, const char *run_id,
                                cJSON **out, struct err *err)
{
    int64_t until = clock_boot_ms() + c->wait_ms;
    struct api_problem problem = {0};

    for (;;) {
        int64_t left = c->wait_ms ? until - clock_boot_ms() : 0;
        int64_t s = left > 1000 * WAIT_STEP_S ? WAIT_STEP_S : left > 0 ? (left + 999) / 1000 : 0;
        AUTO_BUF path = BUF_INIT(1024), body = BUF_INIT(API_ANSWER_MAX);

        api_path(&path, "/v1/runs/%s/result", run_id);
        if (s > 0)
            api_query_int(&path, "wait", s);
        const struct api_call call = {.path = path.p, .wait_ms = 1000 * s};
        *err = ERR_INIT;
        if (api_call(a, &call, &body, &problem, err) == ERR_OK)
            return json_parse(buf_str(&body), 0, out, err);
        if (strcmp(problem.code, "run_not_ended") != 0)
            return err->code;
        if (!c->wait_ms)
            return err_set(err, ERR_CONFLICT, "run %s has not ended yet: --wait 10m waits for it",
                           run_id);
        if (clock_boot_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "the wait is over");
    }
}

/* The answer as it is; on a terminal, safe. */
static enum err_code put_answer(const cJSON *doc, struct err *err)
{
    const cJSON *result = json_get(doc, "result");
    struct str text = str_of(json_get_string(result, "text"));
    AUTO_BUF out = BUF_INIT(2 * TEXT_MAX);

    if (terminal_of(STDOUT_FILENO).terminal)
        term_text_safe(&out, text);
    else
        buf_addstr(&out, text);
    if (out.len && out.p[out.len - 1] != '\n')
        buf_addc(&out, '\n');
    return api_show_put(buf_str(&out), err);
}

static void complain(const cJSON *doc)
{
    const cJSON *e = json_get(json_get(doc, "result"), "error");
    const char *message = json_get_string(e, "message"), *code = json_get_string(e, "code");
    AUTO_BUF safe = BUF_INIT(TEXT_MAX);

    term_text_safe(&safe, str_of(message));
    client_note("the run is %s%s%s%s%s", json_get_string(doc, "status"), code ? ": " : "",
                code ? code : "", safe.len ? ", " : "", safe.p ? safe.p : "");
}

int command_runs_result(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;
    const char *type;

    if (runs_check_ids(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK &&
        get_result(a, c, words[0], &doc, &err) == ERR_OK)
        (void)!(c->output == OUTPUT_TEXT ? put_answer(doc, &err)
                                         : api_show_doc(c, doc, NULL, 0, &err));
    api_client_free(a);
    if (err.code == ERR_TIMEOUT && c->wait_ms) {
        client_note("%s; the run goes on", err.msg);
        return EXIT_WAITED;
    }
    if (err.code != ERR_OK)
        return api_fail(&err);
    type = json_get_string(json_get(doc, "result"), "type");
    if (type && strcmp(type, "succeeded") == 0)
        return EXIT_OK;
    if (!c->quiet)
        complain(doc);
    return EXIT_RUN_FAILED;
}

/* --- retry ---------------------------------------------------------------------- */

static enum err_code retry_one(struct api_client *a, const struct client *c, const char *run_id,
                               struct err *err)
{
    AUTO_BUF path = BUF_INIT(1024), body = BUF_INIT(API_ANSWER_MAX);
    AUTO_JSON *doc = NULL;

    api_path(&path, "/v1/runs/%s/retry", run_id);
    const struct api_call call = {.method = "POST",
                                  .path = path.p,
                                  .idempotency_key = c->idempotency_key,
                                  .once = !c->idempotency_key};
    if (api_call(a, &call, &body, NULL, err) != ERR_OK ||
        json_parse(buf_str(&body), 0, &doc, err) != ERR_OK)
        return err->code;
    if (c->output != OUTPUT_TEXT)
        return api_show_doc(c, doc, NULL, 0, err);
    buf_clear(&body);
    buf_addf(&body, "%s\n", json_get_string(doc, "run_id"));
    return api_show_put(buf_str(&body), err);
}

int command_runs_retry(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;

    if (runs_check_ids(n, words, &err) == ERR_OK && n > 1 && c->idempotency_key)
        err_set(&err, ERR_USAGE, "--idempotency-key is for one run");
    if (err.code == ERR_OK && api_client_new(c, &a, &err) == ERR_OK)
        for (int i = 0; i < n && err.code == ERR_OK; i++)
            (void)!retry_one(a, c, words[i], &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- cancel --------------------------------------------------------------------- */

static const char *words_of(const char *found)
{
    static const char *const rows[][2] = {
        {"unknown", "not known yet: it ends as soon as it is"},
        {"queued", "queued: it ends before it starts"},
        {"running", "running: its worker was told"},
        {"ended", "had ended: nothing was done"},
    };

    for (size_t i = 0; found && i < COUNTOF(rows); i++)
        if (strcmp(rows[i][0], found) == 0)
            return rows[i][1];
    return found ? found : "?";
}

static void add_cancelled(const cJSON *doc, struct buf *out)
{
    const char *batch = json_get_string(doc, "batch_id");
    int64_t asked = 0;

    json_get_int(doc, "asked", &asked);
    if (batch)
        buf_addf(out, "batch %s: %" PRId64 " runs are asked to end\n", batch, asked);
    else
        buf_addf(out, "%s  %s (%s)\n", json_get_string(doc, "run_id"),
                 words_of(json_get_string(doc, "found")), json_get_string(doc, "state"));
}

struct cancelling {
    struct api_client *api;
    const struct client *c;
    cJSON *answers; /* an array, one element a path */
    bool late;      /* for some */
};

static enum err_code cancel_at(struct cancelling *x, const char *path, struct err *err)
{
    AUTO_BUF body = BUF_INIT(API_ANSWER_MAX);
    cJSON *doc = NULL;
    bool asked = true;
    const struct api_call call = {
        .method = "POST", .path = path, .body = x->c->force ? STR("{\"force\":true}") : STR("{}")};

    if (api_call(x->api, &call, &body, NULL, err) != ERR_OK ||
        json_parse(buf_str(&body), 0, &doc, err) != ERR_OK)
        return err->code;
    json_get_bool(doc, "asked", &asked);
    x->late = x->late || !asked;
    cJSON_AddItemToArray(x->answers, doc);
    return ERR_OK;
}

static bool batch_ended(const cJSON *batch)
{
    return json_get_string(batch, "ended_at") != NULL;
}

/* ERR_TIMEOUT: not all have ended. What they ended as is told with the answers. */
static enum err_code await(struct cancelling *x, struct err *err)
{
    int64_t until = clock_boot_ms() + x->c->wait_ms;
    cJSON *answer;

    cJSON_ArrayForEach(answer, x->answers)
    {
        const char *batch = json_get_string(answer, "batch_id");
        int64_t left = until - clock_boot_ms();
        AUTO_JSON *doc = NULL;
        AUTO_BUF path = BUF_INIT(2048);

        if (batch)
            api_path(&path, "/v1/batches/%s", batch);
        else
            api_path(&path, "/v1/runs/%s", json_get_string(answer, "run_id"));
        const struct api_wait wait = {.path = path.p,
                                      .over = batch ? batch_ended : run_doc_ended,
                                      .wait_ms = left > 0 ? left : 1,
                                      .quiet = x->c->quiet};
        if (api_wait(x->api, &wait, &doc, err) != ERR_OK)
            return err->code;
        if (!batch)
            cJSON_ReplaceItemInObjectCaseSensitive(
                answer, "state", cJSON_CreateString(json_get_string(doc, "state")));
    }
    return ERR_OK;
}

static enum err_code cancel_all(struct cancelling *x, int n, char **words, struct err *err)
{
    for (int i = 0; i < n && err->code == ERR_OK; i++) {
        AUTO_BUF path = BUF_INIT(1024);

        api_path(&path, "/v1/runs/%s/cancel", words[i]);
        (void)!cancel_at(x, path.p, err);
    }
    if (x->c->batch && err->code == ERR_OK) {
        AUTO_BUF path = BUF_INIT(2048);

        api_path(&path, "/v1/batches/%s/cancel", x->c->batch);
        (void)!cancel_at(x, path.p, err);
    }
    if (err->code == ERR_OK && x->c->wait_ms > 0)
        (void)!await(x, err);
    return err->code;
}

/* A line each; with -o json one array. */
static enum err_code tell_cancelled(const struct cancelling *x, struct err *err)
{
    AUTO_BUF out = BUF_INIT(TEXT_MAX);
    const cJSON *answer;

    if (x->c->quiet)
        return ERR_OK;
    if (x->c->output == OUTPUT_JSON)
        return api_show_doc(x->c, x->answers, NULL, 0, err);
    cJSON_ArrayForEach(answer, x->answers)
    {
        if (x->c->output == OUTPUT_TEXT)
            add_cancelled(answer, &out);
        else if (api_show_doc(x->c, answer, NULL, 0, err) != ERR_OK)
            return err->code;
    }
    return api_show_put(buf_str(&out), err);
}

int runs_cancel_by_api(struct client *c, int n, char **words)
{
    struct cancelling x = {.c = c, .answers = cJSON_CreateArray()};
    struct err err = ERR_INIT, unused = ERR_INIT;
    bool timed_out;

    if (((n == 0 && c->batch) || runs_check_ids(n, words, &err) == ERR_OK) &&
        api_client_new(c, &x.api, &err) == ERR_OK)
        (void)!cancel_all(&x, n, words, &err);
    timed_out = err.code == ERR_TIMEOUT && c->wait_ms > 0;
    if (err.code == ERR_OK || timed_out)
        (void)!tell_cancelled(&x, timed_out ? &unused : &err);
    api_client_free(x.api);
    cJSON_Delete(x.answers);
    if (timed_out) {
        client_note("the wait is over, and not all runs have ended; the cancel stands");
        return EXIT_WAITED;
    }
    if (err.code != ERR_OK)
        return api_fail(&err);
    return x.late ? EXIT_CONFLICT : EXIT_OK;
}

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

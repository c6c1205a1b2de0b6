/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch list|get|wait|results|cancel|retry`: what the API says of batches. */
#include "producer/verbs/cmd_batch_read.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "producer/api/api_show.h"
#include "producer/api/api_wait.h"
#include "producer/show/batch_progress.h"
#include "producer/show/term_text.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

#define NDJSON "application/x-ndjson"

enum { OUT_MAX = 16 << 20 };

static const struct field list_fields[] = {
    {"BATCH", "batch_id", FIELD_TEXT, 0},
    {"STATE", "state", FIELD_TEXT, 0},
    {"RUNS", "runs", FIELD_COUNT, 0},
    {"COMPLETED", "counts.completed", FIELD_COUNT, 0},
    {"FAILED", "counts.failed", FIELD_COUNT, 0},
    {"RUNNING", "counts.running", FIELD_COUNT, 0},
    {"QUEUED", "counts.queued", FIELD_COUNT, 100},
    {"HELD", "counts.held", FIELD_COUNT, 100},
    {"COST", "cost_usd", FIELD_USD, 0},
    {"AGE", "created_at", FIELD_AGO, 0},
};

static const struct field get_fields[] = {
    {"batch", "batch_id", FIELD_TEXT, 0},
    {"state", "state", FIELD_TEXT, 0},
    {"tenant", "tenant", FIELD_TEXT, 0},
    {"retry of", "retry_of", FIELD_TEXT, 0},
    {"runs", "runs", FIELD_COUNT, 0},
    {"queued", "counts.queued", FIELD_COUNT, 0},
    {"held", "counts.held", FIELD_COUNT, 0},
    {"starting", "counts.starting", FIELD_COUNT, 0},
    {"running", "counts.running", FIELD_COUNT, 0},
    {"retrying", "counts.retrying", FIELD_COUNT, 0},
    {"cancelling", "counts.cancelling", FIELD_COUNT, 0},
    {"completed", "counts.completed", FIELD_COUNT, 0},
    {"failed", "counts.failed", FIELD_COUNT, 0},
    {"timed out", "counts.timed_out", FIELD_COUNT, 0},
    {"cancelled", "counts.cancelled", FIELD_COUNT, 0},
    {"expired", "counts.expired", FIELD_COUNT, 0},
    {"tokens in", "usage.input_tokens", FIELD_COUNT, 0},
    {"tokens out", "usage.output_tokens", FIELD_COUNT, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
    {"sandbox cost", "sandbox_cost_usd", FIELD_USD, 0},
    {"created", "created_at", FIELD_TIME, 0},
    {"sealed", "sealed_at", FIELD_TIME, 0},
    {"started", "started_at", FIELD_TIME, 0},
    {"ended", "ended_at", FIELD_TIME, 0},
    {"took", "started_at..ended_at", FIELD_SPAN, 0},
    {"metadata", "metadata", FIELD_TEXT, 0},
};

bool batch_doc_ended(const cJSON *batch)
{
    const char *state = json_get_string(batch, "state");

    return state && strcmp(state, "ended") == 0;
}

int batch_doc_status(const cJSON *batch)
{
    struct progress p = {.total = 0};

    progress_take(&p, batch, 0, clock_wall_ms());
    return progress_good(&p) ? EXIT_OK : EXIT_PARTLY;
}

enum err_code batch_check_name(int n, char **words, struct err *err)
{
    if (n != 1 || !*words[0])
        return err_set(err, ERR_USAGE, "the batch's name is missing");
    return ERR_OK;
}

/* --- list, get ------------------------------------------------------------------ */

int command_batch_list(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(1024);

    (void)n;
    (void)words;
    api_path(&path, "/v1/batches");
    api_query(&path, "state", ((const struct batch_reader *)c)->states);
    if (api_client_new(c, &a, &err) == ERR_OK) {
        const struct api_list list = {.path = path.p,
                                      .fields = list_fields,
                                      .n_fields = COUNTOF(list_fields),
                                      .what = "batches",
                                      .paged = true,
                                      .limit = c->limit};
        (void)!api_show_list(a, c, &list, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

int command_batch_get(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(1024);

    if (batch_check_name(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK) {
        api_path(&path, "/v1/batches/%s", words[0]);
        (void)!api_show_one(a, c, path.p, get_fields, COUNTOF(get_fields), &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- wait ----------------------------------------------------------------------- */

static enum err_code tell_end(const struct client *c, const cJSON *batch, struct err *err)
{
    struct progress p = {.total = 0};
    AUTO_BUF out = BUF_INIT(8192);

    if (c->output != OUTPUT_TEXT)
        return api_show_doc(c, batch, NULL, 0, err);
    if (c->quiet)
        return ERR_OK;
    progress_take(&p, batch, 0, clock_wall_ms());
    progress_line(&p, &out);
    return api_show_put(buf_str(&out), err);
}

int command_batch_wait(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;
    AUTO_BUF path = BUF_INIT(1024);
    int status = EXIT_OK;

    if (batch_check_name(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK &&
        api_wait_heed_stop(a, &err) == ERR_OK) {
        api_path(&path, "/v1/batches/%s", words[0]);
        const struct api_wait wait = {.path = path.p,
                                      .over = batch_doc_ended,
                                      .wait_ms = c->wait_ms,
                                      .maybe_young = true,
                                      .quiet = c->quiet};
        if (api_wait(a, &wait, &doc, &err) == ERR_TIMEOUT && doc) {
            err = ERR_INIT;
            client_note(
                "the wait is over; the batch goes on. Come back with: sandfleet batch watch %s",
                words[0]);
            status = EXIT_WAITED;
        } else if (err.code == ERR_OK) {
            status = batch_doc_status(doc);
        }
    }
    if (err.code == ERR_OK && doc)
        (void)!tell_end(c, doc, &err);
    api_client_free(a);
    if (err.code == ERR_CANCELLED)
        return api_wait_detached("batch", "sandfleet batch wait", words[0]);
    return err.code == ERR_OK ? status : api_fail(&err);
}

/* --- results -------------------------------------------------------------------- */

struct results {
    enum output output;
    int64_t told;
    struct err err;
};

static bool on_raw(void *ctx, struct str piece)
{
    struct results *r = ctx;

    return api_show_put(piece, &r->err) == ERR_OK;
}

/* "custom_id  status  cost  the answer's or the error's first line" */
static void result_text(const cJSON *doc, struct buf *out)
{
    static const struct field fields[] = {
        {"", "custom_id|run_id", FIELD_TEXT, 0},
        {"", "status", FIELD_TEXT, 0},
        {"", "cost_usd", FIELD_USD, 0},
        {"", "result.error.message|result.error.code|result.text", FIELD_TEXT, 0},
    };
    struct terminal t = terminal_of(STDOUT_FILENO);
    AUTO_BUF line = BUF_INIT(OUT_MAX);

    for (size_t i = 0; i < COUNTOF(fields); i++) {
        buf_adds(&line, i ? "  " : "");
        field_text(&fields[i], doc, 0, &line);
    }
    buf_addstr(out, t.terminal ? term_text_fit(buf_str(&line), t.columns) : buf_str(&line));
    buf_addc(out, '\n');
}

static bool on_line(void *ctx, struct str line)
{
    struct results *r = ctx;
    AUTO_BUF out = BUF_INIT(OUT_MAX);
    AUTO_JSON *doc = NULL;

    if (r->output == OUTPUT_JSON) {
        buf_addf(&out, "%s" STR_FMT, r->told++ ? ",\n " : "", STR_ARG(line));
    } else {
        if (json_parse(line, 0, &doc, &r->err) != ERR_OK)
            return false;
        result_text(doc, &out);
    }
    return api_show_put(buf_str(&out), &r->err) == ERR_OK;
}

static enum err_code get_results(struct api_client *a, const struct batch_reader *b,
                                 const char *name, struct results *r, struct err *err)
{
    AUTO_BUF path = BUF_INIT(1024);

    api_path(&path, "/v1/batches/%s/results", name);
    api_query(&path, "order", b->ordered ? "submitted" : NULL);
    api_query(&path, "errors_only", b->errors_only ? "true" : NULL);
    if (r->output == OUTPUT_JSONL)
        return api_pipe(a, path.p, NDJSON, on_raw, r, err);
    if (r->output == OUTPUT_JSON && api_show_put(STR("["), err) != ERR_OK)
        return err->code;
    if (api_pipe_lines(a, path.p, NDJSON, on_line, r, err) != ERR_OK)
        return err->code;
    return r->output == OUTPUT_JSON ? api_show_put(STR("]\n"), err) : ERR_OK;
}

int command_batch_results(struct client *c, int n, char **words)
{
    struct results r = {.output = c->output, .err = ERR_INIT};
    struct api_client *a = NULL;
    struct err err = ERR_INIT;

    if (batch_check_name(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK)
        (void)!get_results(a, (const struct batch_reader *)c, words[0], &r, &err);
    if (r.err.code != ERR_OK)
        err = r.err;
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- cancel, retry -------------------------------------------------------------- */

int command_batch_cancel(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;

    if (batch_check_name(n, words, &err) != ERR_OK)
        return client_fail(&err);
    c->batch = words[0];
    return runs_cancel_by_api(c, 0, NULL);
}

static void put_body(const struct batch_reader *b, struct buf *out)
{
    struct str rest = str_of(b->states), state;
    bool first = true;

    buf_addc(out, '{');
    json_kv(out, "batch_id", b->new_batch);
    if (rest.n) {
        json_key(out, "states");
        buf_addc(out, '[');
        while (rest.n && str_next(&rest, ',', &state)) {
            buf_adds(out, first ? "" : ",");
            json_put_string(out, state);
            first = false;
        }
        buf_addc(out, ']');
    }
    buf_addc(out, '}');
}

static enum err_code retry(struct api_client *a, const struct batch_reader *b, const char *name,
                           struct err *err)
{
    AUTO_BUF path = BUF_INIT(1024), body = BUF_INIT(4096), answer = BUF_INIT(OUT_MAX);
    AUTO_JSON *doc = NULL;

    api_path(&path, "/v1/batches/%s/retry", name);
    put_body(b, &body);
    const struct api_call call = {.method = "POST",
                                  .path = path.p,
                                  .body = buf_str(&body),
                                  .idempotency_key = b->c.idempotency_key,
                                  .once = !b->c.idempotency_key && !b->new_batch};
    if (api_call(a, &call, &answer, NULL, err) != ERR_OK ||
        json_parse(buf_str(&answer), 0, &doc, err) != ERR_OK)
        return err->code;
    if (b->c.output != OUTPUT_TEXT)
        return api_show_doc(&b->c, doc, NULL, 0, err);
    buf_clear(&answer);
    buf_addf(&answer, "%s\n", json_get_string(doc, "batch_id"));
    if (!b->c.quiet)
        client_note("watch it with: sandfleet batch watch %s", json_get_string(doc, "batch_id"));
    return api_show_put(buf_str(&answer), err);
}

int command_batch_retry(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;

    if (batch_check_name(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK)
        (void)!retry(a, (const struct batch_reader *)c, words[0], &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs list|get|wait|explain|attempts|usage`: what the API says of runs. */
#include "producer/verbs/cmd_runs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "producer/api/api_show.h"
#include "producer/api/api_wait.h"
#include "producer/show/term_text.h"
#include "common/banned.h"

enum { TEXT_MAX = 4 << 20, LIST_PATH_MAX = 7 << 10 /* a page adds to it */ };

static const struct field list_fields[] = {
    {"RUN", "run_id", FIELD_TEXT, 0},
    {"STATE", "state", FIELD_TEXT, 0},
    {"WHY", "hold_reason|outcome", FIELD_TEXT, 100},
    {"AGE", "created_at", FIELD_AGO, 0},
    {"TOOK", "started_at..ended_at", FIELD_SPAN, 100},
    {"COST", "cost_usd", FIELD_USD, 0},
    {"BATCH", "batch_id", FIELD_TEXT, 130},
    {"NAME", "custom_id|session_id", FIELD_TEXT, 0},
};

static const struct field get_fields[] = {
    {"run", "run_id", FIELD_TEXT, 0},
    {"state", "state", FIELD_TEXT, 0},
    {"outcome", "outcome", FIELD_TEXT, 0},
    {"reason", "reason", FIELD_TEXT, 0},
    {"waits for", "hold_reason", FIELD_TEXT, 0},
    {"until", "hold_until", FIELD_TIME, 0},
    {"tenant", "tenant", FIELD_TEXT, 0},
    {"batch", "batch_id", FIELD_TEXT, 0},
    {"custom id", "custom_id", FIELD_TEXT, 0},
    {"session", "session_id", FIELD_TEXT, 0},
    {"project", "project_id", FIELD_TEXT, 0},
    {"user", "user_id", FIELD_TEXT, 0},
    {"lane", "lane", FIELD_TEXT, 0},
    {"template", "template", FIELD_TEXT, 0},
    {"model", "model", FIELD_TEXT, 0},
    {"credential", "credential", FIELD_TEXT, 0},
    {"attempt", "attempt", FIELD_COUNT, 0},
    {"worker", "worker_id", FIELD_TEXT, 0},
    {"sandbox", "sandbox_id", FIELD_TEXT, 0},
    {"created", "created_at", FIELD_TIME, 0},
    {"started", "started_at", FIELD_TIME, 0},
    {"ended", "ended_at", FIELD_TIME, 0},
    {"took", "started_at..ended_at", FIELD_SPAN, 0},
    {"tokens in", "usage.input_tokens", FIELD_COUNT, 0},
    {"tokens out", "usage.output_tokens", FIELD_COUNT, 0},
    {"cached", "usage.cache_read_tokens", FIELD_COUNT, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
    {"sandbox cost", "sandbox_cost_usd", FIELD_USD, 0},
    {"events", "last_sequence", FIELD_COUNT, 0},
    {"missing lines", "missing_lines", FIELD_COUNT, 0},
    {"metadata", "metadata", FIELD_TEXT, 0},
};

static const struct field end_fields[] = {
    {"RUN", "run_id", FIELD_TEXT, 0},
    {"STATE", "state", FIELD_TEXT, 0},
    {"TOOK", "started_at..ended_at", FIELD_SPAN, 0},
    {"COST", "cost_usd", FIELD_USD, 0},
    {"REASON", "reason|outcome", FIELD_TEXT, 0},
};

static const struct field attempt_fields[] = {
    {"ATTEMPT", "attempt", FIELD_COUNT, 0},   {"STATE", "state", FIELD_TEXT, 0},
    {"OUTCOME", "outcome", FIELD_TEXT, 0},    {"TOOK", "started_at..ended_at", FIELD_SPAN, 0},
    {"LINES", "lines", FIELD_COUNT, 0},       {"COST", "cost_usd", FIELD_USD, 0},
    {"WORKER", "worker_id", FIELD_TEXT, 110}, {"SANDBOX", "sandbox_id", FIELD_TEXT, 110},
    {"REASON", "reason", FIELD_TEXT, 0},
};

static const struct field usage_fields[] = {
    {"tokens in", "usage.input_tokens", FIELD_COUNT, 0},
    {"tokens out", "usage.output_tokens", FIELD_COUNT, 0},
    {"cache read", "usage.cache_read_tokens", FIELD_COUNT, 0},
    {"cache written", "usage.cache_write_tokens", FIELD_COUNT, 0},
    {"cost", "cost_usd", FIELD_USD, 0},
    {"sandbox time", "sandbox_ms", FIELD_MS, 0},
    {"sandbox cost", "sandbox_cost_usd", FIELD_USD, 0},
    {"together", "total_usd", FIELD_USD, 0},
};

bool run_doc_ended(const cJSON *run)
{
    return json_get_string(run, "ended_at") != NULL;
}

bool run_doc_completed(const cJSON *run)
{
    const char *state = json_get_string(run, "state");

    return state && strcmp(state, "completed") == 0;
}

enum err_code runs_check_ids(int n, char **words, struct err *err)
{
    if (n == 0)
        return err_set(err, ERR_USAGE, "a run id is missing, as run and submit print it");
    for (int i = 0; i < n; i++)
        if (!uuid_valid(str_of(words[i])))
            return err_set(err, ERR_USAGE, "'%.40s' is no run id", words[i]);
    return ERR_OK;
}

/* --- list ----------------------------------------------------------------------- */

/* A day begins at midnight, UTC. */
static bool parse_day(const char *typed, int64_t *ms)
{
    char text[32];

    return strlen(typed) == strlen("2026-03-01") &&
           snprintf(text, sizeof text, "%sT00:00:00Z", typed) > 0 &&
           clock_parse_rfc3339(str_of(text), ms);
}

/* "2h" is so long ago; else a time as RFC 3339 has it, or a day. */
static enum err_code add_time(struct buf *path, const char *name, const char *typed,
                              struct err *err)
{
    char text[CLOCK_TEXT];
    int64_t ms;

    if (!typed)
        return ERR_OK;
    if (clock_parse_duration(str_of(typed), &ms))
        api_query(path, name, clock_rfc3339(clock_wall_ms() - ms, text));
    else if (clock_parse_rfc3339(str_of(typed), &ms) || parse_day(typed, &ms))
        api_query(path, name, clock_rfc3339(ms, text));
    else
        return err_set(
            err, ERR_USAGE,
            "'%.40s' is no time: say 2h for two hours ago, 2026-03-01 or 2026-03-01T10:00:00Z",
            typed);
    return ERR_OK;
}

static enum err_code add_metadata(struct buf *path, const struct opt_list *typed, struct err *err)
{
    for (size_t i = 0; i < typed->n; i++) {
        const char *equal = strchr(typed->items[i], '=');

        if (!equal || equal == typed->items[i])
            return err_set(err, ERR_USAGE, "'%.40s' is no metadata: say key=value",
                           typed->items[i]);
        api_query(path, "metadata", typed->items[i]);
    }
    return ERR_OK;
}

static enum err_code list_path(const struct runs_client *r, struct buf *path, struct err *err)
{
    api_path(path, "/v1/runs");
    api_query(path, "state", r->states);
    api_query(path, "batch_id", r->batch_id);
    api_query(path, "session_id", r->session_id);
    api_query(path, "custom_id", r->custom);
    api_query(path, "project_id", r->project);
    api_query(path, "user_id", r->user);
    api_query(path, "model", r->model);
    for (size_t i = 0; i < r->tags.n; i++)
        api_query(path, "tag", r->tags.items[i]);
    api_query(path, "lane", r->lane);
    api_query(path, "outcome", r->outcome);
    api_query(path, "order", r->oldest_first ? "asc" : NULL);
    if (add_metadata(path, &r->metadata, err) != ERR_OK ||
        add_time(path, "created_after", r->after, err) != ERR_OK ||
        add_time(path, "created_before", r->before, err) != ERR_OK)
        return err->code;
    return path->rc == ERR_OK ? ERR_OK : err_set(err, ERR_USAGE, "that asks for too much at once");
}

int command_runs_list(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(LIST_PATH_MAX);

    (void)n;
    (void)words;
    if (list_path((const struct runs_client *)c, &path, &err) == ERR_OK &&
        api_client_new(c, &a, &err) == ERR_OK) {
        const struct api_list list = {.path = path.p,
                                      .fields = list_fields,
                                      .n_fields = COUNTOF(list_fields),
                                      .what = "runs",
                                      .paged = true,
                                      .limit = c->limit};
        (void)!api_show_list(a, c, &list, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- get ------------------------------------------------------------------------ */

void runs_put_section(const char *title, const char *text, const struct terminal *t,
                      struct buf *out)
{
    AUTO_BUF safe = BUF_INIT(TEXT_MAX);
    struct str rest, line, row;

    if (!text || !*text)
        return;
    term_text_safe(&safe, str_trim(str_of(text)));
    buf_addf(out, "\n%s%s%s\n", terminal_style(t, "bold"), title, terminal_style(t, "plain"));
    rest = buf_str(&safe);
    while (rest.n && str_next(&rest, '\n', &line)) {
        struct term_rows rows = {.rest = line, .columns = t->terminal ? t->columns - 2 : 0};

        while (term_rows_next(&rows, &row))
            buf_addf(out, "%*s" STR_FMT "\n", row.n ? 2 + rows.indent : 0, "", STR_ARG(row));
    }
}

static enum err_code show_run(const struct client *c, const cJSON *run, struct err *err)
{
    struct terminal t = terminal_of(STDOUT_FILENO);
    AUTO_BUF out = BUF_INIT(2 * TEXT_MAX);

    if (api_show_doc(c, run, get_fields, COUNTOF(get_fields), err) != ERR_OK ||
        c->output != OUTPUT_TEXT)
        return err->code;
    runs_put_section("prompt", json_get_string(run, "prompt"), &t, &out);
    runs_put_section("answer", json_get_string(run, "result"), &t, &out);
    return api_show_put(buf_str(&out), err);
}

/* One run's document at `path`, shown by fn. */
static int with_run(struct client *c, int n, char **words, const char *fmt,
                    enum err_code (*show)(const struct client *, const cJSON *, struct err *))
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;
    AUTO_BUF path = BUF_INIT(1024);

    if (runs_check_ids(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK) {
        buf_addf(&path, "/v1/runs/%s%s", words[0], fmt);
        if (api_get(a, path.p, &doc, &err) == ERR_OK)
            (void)!show(c, doc, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

int command_runs_get(struct client *c, int n, char **words)
{
    return with_run(c, n, words, "", show_run);
}

/* --- explain -------------------------------------------------------------------- */

static enum err_code show_explanation(const struct client *c, const cJSON *doc, struct err *err)
{
    static const struct field fields[] = {{"", "at", FIELD_TIME, 0},
                                          {"", "kind", FIELD_TEXT, 0},
                                          {"", "code", FIELD_TEXT, 0},
                                          {"", "detail", FIELD_TEXT, 0}};
    static const struct field head[] = {
        {"state", "state", FIELD_TEXT, 0},     {"reason", "code", FIELD_TEXT, 0},
        {"why", "summary", FIELD_TEXT, 0},     {"what to do", "advice", FIELD_TEXT, 0},
        {"since", "since", FIELD_TIME, 0},     {"until", "until", FIELD_TIME, 0},
        {"attempt", "attempt", FIELD_COUNT, 0}};
    struct terminal t = terminal_of(STDOUT_FILENO);
    struct table table;
    const cJSON *row;
    AUTO_BUF out = BUF_INIT(TEXT_MAX);

    if (c->output != OUTPUT_TEXT)
        return api_show_doc(c, doc, NULL, 0, err);
    field_details(head, COUNTOF(head), doc, clock_wall_ms(), &t, &out);
    table_init(&table, fields, COUNTOF(fields), &t, clock_wall_ms());
    table.headed = true;
    cJSON_ArrayForEach(row, json_get(doc, "history")) table_add(&table, row);
    if (table.cells.len)
        buf_addc(&out, '\n');
    table_flush(&table, &out);
    table_release(&table);
    return api_show_put(buf_str(&out), err);
}

int command_runs_explain(struct client *c, int n, char **words)
{
    return with_run(c, n, words, "/explain", show_explanation);
}

/* --- attempts, usage ------------------------------------------------------------ */

int command_runs_attempts(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(1024);

    if (runs_check_ids(n, words, &err) == ERR_OK && api_client_new(c, &a, &err) == ERR_OK) {
        api_path(&path, "/v1/runs/%s/attempts", words[0]);
        const struct api_list list = {.path = path.p,
                                      .fields = attempt_fields,
                                      .n_fields = COUNTOF(attempt_fields),
                                      .what = "attempts"};
        (void)!api_show_list(a, c, &list, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

static enum err_code show_usage(const struct client *c, const cJSON *doc, struct err *err)
{
    return api_show_doc(c, doc, usage_fields, COUNTOF(usage_fields), err);
}

int command_runs_usage(struct client *c, int n, char **words)
{
    return with_run(c, n, words, "/usage", show_usage);
}

/* --- wait ----------------------------------------------------------------------- */

struct waits {
    struct api_client *api;
    const struct client *c;
    struct terminal terminal;
    struct table table;
    int64_t until_ms; /* by the boot clock; 0: never */
    bool all_good, timed_out;
};

static enum err_code tell_end(struct waits *w, const cJSON *run, struct err *err)
{
    AUTO_BUF out = BUF_INIT(TEXT_MAX);

    if (w->c->output != OUTPUT_TEXT)
        return api_show_doc(w->c, run, NULL, 0, err);
    table_add(&w->table, run);
    table_flush(&w->table, &out);
    return api_show_put(buf_str(&out), err);
}

static enum err_code wait_one(struct waits *w, const char *run_id, struct err *err)
{
    int64_t left = w->until_ms ? w->until_ms - clock_boot_ms() : 0, made_ms;
    AUTO_JSON *run = NULL;
    AUTO_BUF path = BUF_INIT(1024);

    api_path(&path, "/v1/runs/%s", run_id);
    const struct api_wait wait = {.path = path.p,
                                  .over = run_doc_ended,
                                  .wait_ms = w->until_ms && left < 1 ? 1 : left,
                                  .maybe_young = !uuid_v7_ms(str_of(run_id), &made_ms),
                                  .quiet = w->c->quiet};
    if (api_wait(w->api, &wait, &run, err) == ERR_TIMEOUT && run) {
        *err = ERR_INIT;
        w->timed_out = true;
        client_note("run %s has not ended: it is %s", run_id, json_get_string(run, "state"));
        return ERR_OK;
    }
    if (err->code != ERR_OK)
        return err->code;
    w->all_good = w->all_good && run_doc_completed(run);
    return tell_end(w, run, err);
}

int command_runs_wait(struct client *c, int n, char **words)
{
    struct waits w = {.c = c,
                      .terminal = terminal_of(STDOUT_FILENO),
                      .until_ms = c->wait_ms ? clock_boot_ms() + c->wait_ms : 0,
                      .all_good = true};
    struct err err = ERR_INIT;

    table_init(&w.table, end_fields, COUNTOF(end_fields), &w.terminal, clock_wall_ms());
    if (runs_check_ids(n, words, &err) == ERR_OK)
        (void)!api_client_new(c, &w.api, &err);
    if (err.code == ERR_OK)
        (void)!api_wait_heed_stop(w.api, &err);
    int at = 0;
    while (at < n && err.code == ERR_OK && wait_one(&w, words[at], &err) == ERR_OK)
        at++;
    table_release(&w.table);
    api_client_free(w.api);
    if (err.code == ERR_CANCELLED)
        return api_wait_detached("run", "sandfleet runs wait", words[at]);
    if (err.code != ERR_OK)
        return api_fail(&err);
    return w.timed_out ? EXIT_WAITED : w.all_good ? EXIT_OK : EXIT_RUN_FAILED;
}

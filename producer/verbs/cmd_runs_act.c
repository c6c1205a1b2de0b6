/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet runs result|retry` through the API: what came out of a run, and the same once more. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "producer/api/api_show.h"
#include "producer/api/api_wait.h"
#include "producer/show/term_text.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

enum { TEXT_MAX = 4 << 20, WAIT_STEP_S = 60 };

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
        api_wait_heed_stop(a, &err) == ERR_OK && get_result(a, c, words[0], &doc, &err) == ERR_OK)
        (void)!(c->output == OUTPUT_TEXT ? put_answer(doc, &err)
                                         : api_show_doc(c, doc, NULL, 0, &err));
    api_client_free(a);
    if (err.code == ERR_CANCELLED)
        return api_wait_detached("run", "sandfleet runs result", words[0]);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet cancel` and `batch cancel` through the API. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "producer/api/api_show.h"
#include "producer/api/api_wait.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

enum { TEXT_MAX = 4 << 20 };

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
    if (err.code == ERR_OK || cJSON_GetArraySize(x.answers) > 0)
        (void)!tell_cancelled(&x, err.code == ERR_OK ? &err : &unused);
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

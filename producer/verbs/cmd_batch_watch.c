/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch watch`: a batch to its end, in some rows that are written over, or in lines. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "producer/api/api_show.h"
#include "producer/api/api_wait.h"
#include "producer/show/batch_progress.h"
#include "producer/show/waiting.h"
#include "producer/verbs/cmd_batch_read.h"
#include "common/banned.h"

enum {
    LOOK_MS = 1000,        /* between two looks at the counts */
    ITEMS_EVERY = 5,       /* looks: at which runs are longest, and which failed */
    LINE_EVERY_MS = 10000, /* between two lines, where rows cannot be written over */
    OUT_MAX = 1 << 20
};

struct watch_batch {
    struct client *c;
    struct api_client *api;
    const char *name;
    struct progress progress;
    struct terminal terminal;
    int drawn; /* rows on the terminal */
    struct waiting_row row;
    int64_t looks, line_at_ms, contact_ms, told_done, until_ms;
    bool stopped, waited, away, open_told, known;
};

static void on_stop(void *ctx, int count)
{
    struct watch_batch *w = ctx;

    (void)count;
    w->stopped = true;
    loop_stop(api_client_loop(w->api));
}

/* --- what is seen --------------------------------------------------------------- */

static bool draws(const struct watch_batch *w)
{
    return w->c->output == OUTPUT_TEXT && w->terminal.interactive &&
           w->terminal.rows > PROGRESS_ROWS;
}

static enum err_code settle(struct watch_batch *w, struct err *err)
{
    AUTO_BUF out = BUF_INIT(64);

    if (w->drawn > 0)
        buf_addf(&out, "\r\033[%dA\033[J", w->drawn);
    w->drawn = 0;
    return api_show_put(buf_str(&out), err);
}

static enum err_code draw(struct watch_batch *w, struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    if (w->drawn > 0)
        buf_addf(&out, "\r\033[%dA\033[J", w->drawn);
    w->drawn = progress_draw(&w->progress, &w->terminal, &out);
    return api_show_put(buf_str(&out), err);
}

/* In a pipe: when something ended, but not more often than LINE_EVERY_MS; and the last one. */
static enum err_code tell(struct watch_batch *w, const cJSON *batch, struct err *err)
{
    int64_t now = clock_boot_ms(), done = progress_done(&w->progress);
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    if (!w->progress.ended && w->line_at_ms &&
        (now - w->line_at_ms < LINE_EVERY_MS || done == w->told_done))
        return ERR_OK;
    w->line_at_ms = now;
    w->told_done = done;
    if (w->c->output == OUTPUT_JSONL || (w->c->output == OUTPUT_JSON && w->progress.ended))
        return api_show_doc(w->c, batch, NULL, 0, err);
    if (w->c->output == OUTPUT_JSON)
        return ERR_OK;
    progress_line(&w->progress, &out);
    return api_show_put(buf_str(&out), err);
}

static enum err_code show(struct watch_batch *w, const cJSON *batch, struct err *err)
{
    w->terminal = terminal_of(STDOUT_FILENO);
    if (!draws(w))
        return tell(w, batch, err);
    if (!w->progress.ended)
        return draw(w, err);
    if (settle(w, err) != ERR_OK)
        return err->code;
    return tell(w, batch, err);
}

/* --- what is asked -------------------------------------------------------------- */

static void look_at_runs(struct watch_batch *w, const char *states, const char *order,
                         bool failures)
{
    AUTO_BUF path = BUF_INIT(2048);
    AUTO_JSON *runs = NULL;
    struct err unused = ERR_INIT;

    api_path(&path, "/v1/runs");
    api_query(&path, "batch_id", w->name);
    api_query(&path, "state", states);
    api_query(&path, "order", order);
    api_query_int(&path, "limit", PROGRESS_ITEMS);
    if (api_get(w->api, path.p, &runs, &unused) == ERR_OK)
        progress_take_runs(&w->progress, runs, failures, clock_wall_ms());
}

static void say_open(struct watch_batch *w, struct err *err)
{
    const struct progress *p = &w->progress;

    if (w->open_told || w->c->quiet || strcmp(p->state, "open") != 0 || p->total == 0 ||
        progress_done(p) < p->total)
        return;
    w->open_told = true;
    (void)!settle(w, err);
    client_note("all its runs have ended, but the batch takes more until it is sealed");
}

static enum err_code look(struct watch_batch *w, struct err *err)
{
    AUTO_BUF path = BUF_INIT(1024);
    AUTO_JSON *batch = NULL;

    api_path(&path, "/v1/batches/%s", w->name);
    if (api_get(w->api, path.p, &batch, err) != ERR_OK)
        return err->code;
    w->contact_ms = clock_boot_ms();
    w->known = true;
    w->away = false;
    progress_take(&w->progress, batch, clock_boot_ms(), clock_wall_ms());
    if (draws(w) && w->looks++ % ITEMS_EVERY == 0 && !w->progress.ended) {
        look_at_runs(w, "running,starting,cancelling", "asc", false);
        if (w->progress.failed + w->progress.timed_out + w->progress.expired > 0)
            look_at_runs(w, "failed,timed_out,expired", "desc", true);
    }
    say_open(w, err);
    return show(w, batch, err);
}

/* The API is away for a while: that is said once, and looked at again. */
static bool goes_on(struct watch_batch *w, struct err *err)
{
    struct err unused = ERR_INIT;

    if (!w->stopped && err->code == ERR_NOT_FOUND && !w->known &&
        clock_boot_ms() - w->contact_ms < API_UNKNOWN_MS) { /* the sink may lag */
        waiting_show(&w->row, w->c->quiet, API_UNKNOWN_TEXT);
        *err = ERR_INIT;
        return true;
    }
    if (w->stopped ||
        (err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT && err->code != ERR_THROTTLED))
        return false;
    if (clock_boot_ms() - w->contact_ms > API_AWAY_MS)
        return false;
    if (!w->away && !w->c->quiet) {
        (void)!settle(w, &unused);
        client_note("%s; trying again", err->msg);
    }
    w->away = true;
    *err = ERR_INIT;
    return true;
}

static enum err_code watch(struct watch_batch *w, struct err *err)
{
    w->contact_ms = clock_boot_ms();
    while (!w->stopped) {
        int64_t left = w->until_ms ? w->until_ms - clock_boot_ms() : LOOK_MS;

        if (look(w, err) != ERR_OK && !goes_on(w, err))
            break;
        if (w->progress.ended)
            break;
        if (left <= 0) {
            w->waited = true;
            break;
        }
        (void)api_rest(w->api, left < LOOK_MS ? left : LOOK_MS);
        waiting_end(&w->row);
    }
    if (w->stopped)
        *err = ERR_INIT;
    return err->code;
}

static int verdict(struct watch_batch *w, struct err *err)
{
    if (err->code != ERR_OK)
        return api_fail(err);
    if (w->progress.ended) {
        if (!w->c->quiet)
            client_note("results: sandfleet batch results %s", w->name);
        return progress_good(&w->progress) ? EXIT_OK : EXIT_PARTLY;
    }
    client_note("%s; the batch goes on. Come back with: sandfleet batch watch %s",
                w->waited ? "the wait is over" : "detached", w->name);
    client_note("what came out so far: sandfleet batch results %s", w->name);
    return w->waited ? EXIT_WAITED : EXIT_INTERRUPTED;
}

int command_batch_watch(struct client *c, int n, char **words)
{
    struct watch_batch w = {.c = c,
                            .name = n == 1 ? words[0] : "",
                            .told_done = -1,
                            .until_ms = c->wait_ms ? clock_boot_ms() + c->wait_ms : 0};
    struct err err = ERR_INIT;
    int status;

    w.terminal = terminal_of(STDOUT_FILENO);
    if (batch_check_name(n, words, &err) == ERR_OK && api_client_new(c, &w.api, &err) == ERR_OK &&
        loop_on_stop(api_client_loop(w.api), on_stop, &w, &err) == ERR_OK)
        (void)!watch(&w, &err);
    status = verdict(&w, &err);
    api_client_free(w.api);
    return status;
}

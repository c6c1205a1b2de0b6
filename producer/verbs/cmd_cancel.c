/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet cancel`: asks for the end of runs, wherever they are. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "producer/verbs/cmd_runs.h"
#include "schema/cancel.h"
#include "common/banned.h"

enum { LINE_MAX_BYTES = 1024 };

static enum err_code check(const struct client *c, int n, char **words, struct err *err)
{
    if (!c->database)
        return err_set(err, ERR_USAGE, "--api-url and --database are missing: give one of them");
    if (n == 0 && !c->batch)
        return err_set(err, ERR_USAGE,
                       "cancel takes run ids, as run and submit print them, or --batch");
    for (int i = 0; i < n; i++)
        if (!uuid_valid(str_of(words[i])))
            return err_set(err, ERR_USAGE, "'%.40s' is no run id", words[i]);
    return ERR_OK;
}

/* Who asks, as the events will tell it; NULL: nobody knows. */
static const char *who(const struct client *c)
{
    const struct passwd *me = c->requested_by ? NULL : getpwuid(geteuid());

    return c->requested_by ? c->requested_by : me ? me->pw_name : NULL;
}

static void add_json(struct buf *b, const struct cancel_run *r)
{
    buf_addc(b, '{');
    json_kv(b, "run_id", r->run_id);
    json_kv(b, "found", cancel_found_name(r->found));
    json_kv_bool(b, "asked", r->found != CANCEL_ENDED);
    json_kv(b, "state", r->state[0] ? r->state : NULL);
    buf_addc(b, '}');
}

static const char *words_of(enum cancel_found f)
{
    switch (f) {
    case CANCEL_AHEAD:
        return "not known yet: it ends as soon as it is";
    case CANCEL_QUEUED:
        return "queued: it ends before it starts";
    case CANCEL_RUNNING:
        return "running: its worker was told";
    case CANCEL_ENDED:
        return "had ended: nothing was done";
    case CANCEL_FOUNDS:
        break;
    }
    return "";
}

static void add_text(struct buf *b, const struct cancel_run *r)
{
    buf_addf(b, "%s  %s", r->run_id, words_of(r->found));
    if (r->state[0])
        buf_addf(b, " (%s)", r->state);
}

/* A line a run; with -o json all of them in one array. */
static bool answer(const struct client *c, const struct cancel_run *runs, size_t n, struct err *err)
{
    bool gone = false, json = c->output == OUTPUT_JSON;

    for (size_t i = 0; i < n && !gone; i++) {
        AUTO_BUF line = BUF_INIT(LINE_MAX_BYTES);

        if (json)
            buf_adds(&line, i == 0 ? "[" : ",\n ");
        if (c->output == OUTPUT_TEXT)
            add_text(&line, &runs[i]);
        else
            add_json(&line, &runs[i]);
        if (json && i + 1 == n)
            buf_addc(&line, ']');
        if (!json || i + 1 == n)
            buf_addc(&line, '\n');
        if (!client_put(line.p, line.len, &gone, err))
            return false;
    }
    return n > 0 || !json || client_put("[]\n", 3, &gone, err);
}

static size_t count_ended(const struct cancel_run *runs, size_t n)
{
    size_t ended = 0;

    for (size_t i = 0; i < n; i++)
        ended += runs[i].found == CANCEL_ENDED;
    return ended;
}

static int ask(const struct client *c, const struct cancel_want *w, struct err *err)
{
    struct cancel_run *runs = NULL;
    size_t n = 0, late = 0;
    int status = 0;

    if (cancel_ask(w, &runs, &n, err) == ERR_OK) {
        late = count_ended(runs, n);
        if (c->wait_ms > 0 && cancel_await(w, runs, n, c->wait_ms, err) == ERR_TIMEOUT) {
            client_note("the wait is over, and not all runs have ended; the cancel stands");
            *err = ERR_INIT;
            status = EXIT_WAITED;
        }
    }
    if (err->code == ERR_OK && !c->quiet)
        (void)answer(c, runs, n, err);
    free(runs);
    if (err->code != ERR_OK)
        return client_fail(err);
    if (n == 0)
        client_note("no run of this batch is known yet; those that come end at once");
    return status ? status : late > 0 ? EXIT_CONFLICT : EXIT_OK;
}

int command_cancel(struct client *c, int n, char **words)
{
    struct cancel_want w = {.conninfo = c->database,
                            .tenant = c->tenant ? c->tenant : "default",
                            .run_ids = (const char *const *)words,
                            .n_runs = (size_t)n,
                            .batch_id = c->batch,
                            .requested_by = who(c),
                            .force = c->force};
    struct err err = ERR_INIT;

    if (c->api_url && !c->requested_by)
        return runs_cancel_by_api(c, n, words);
    if (check(c, n, words, &err) != ERR_OK)
        return client_fail(&err);
    return ask(c, &w, &err);
}

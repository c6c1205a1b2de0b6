/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet run` and `sandfleet follow`: a run to its end, on the terminal. Where --api-url says
 * where the API is, its events come through that; else from the events topic. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/uuid.h"
#include "producer/api/api_stream.h"
#include "producer/follow.h"
#include "producer/prompt_input.h"
#include "producer/request_build.h"
#include "producer/show/run_show.h"
#include "producer/submitter.h"
#include "common/banned.h"

enum { PATIENCE_MS = 10000, UNKNOWN_MS = 3000 /* a run may be unknown to the API so long */ };

struct watcher { /* a run being followed */
    const struct client *client;
    struct topics topics;
    struct kafka_admin *admin;
    struct api_client *api; /* NULL: through the topic */
    struct loop *loop;      /* the API client's, or our own */
    struct follow *follow;
    struct api_stream *stream;
    struct timer *patience, *wait;
    struct run_show show;
    char run_id[UUID_TEXT];
    int64_t begun_ms; /* by the loop */
    char ended[32];   /* the state that the stream's end told */
    bool submitted, detached, waited, away;
    struct err failed;
};

/* --- what happens ------------------------------------------------------------------ */

static void on_event(void *ctx, const struct event_view *v, int64_t sequence, struct str json)
{
    struct watcher *w = ctx;

    timer_stop(w->patience);
    w->away = false;
    if (sequence > w->client->since)
        run_show_event(&w->show, v, sequence, json);
}

static void on_record(void *ctx, const struct event_view *v, int64_t sequence, struct str value)
{
    (void)value;
    on_event(ctx, v, sequence, (struct str){0});
}

static void on_failed(void *ctx, const struct err *e)
{
    struct watcher *w = ctx;

    w->failed = *e;
    loop_stop(w->loop);
}

/* Without a terminal event before it: it was asked for from behind that. */
static void on_ended(void *ctx, const char *state)
{
    struct watcher *w = ctx;

    snprintf(w->ended, sizeof(w->ended), "%s", state);
    loop_stop(w->loop);
}

static void on_away(void *ctx, const struct err *e, int64_t retry_ms)
{
    struct watcher *w = ctx;

    (void)retry_ms;
    if (w->away || w->client->quiet ||
        (e->code == ERR_NOT_FOUND && loop_now_ms(w->loop) - w->begun_ms < UNKNOWN_MS))
        return;
    w->away = true;
    run_show_settle(&w->show);
    if (e->code == ERR_NOT_FOUND)
        client_note("the run is young, and sandfleet-api does not know it yet; waiting");
    else
        client_note("%s; trying again, nothing will be missing", e->msg);
}

static const struct follow_events follow_events = {.event = on_record, .failed = on_failed};
static const struct api_stream_events stream_events = {on_event, on_ended, on_failed, on_away};

static void on_patience(void *ctx)
{
    struct watcher *w = ctx;

    run_show_settle(&w->show);
    client_note("no worker has taken the run yet; it stays queued. Why: sandfleet runs explain %s",
                w->run_id);
}

static void on_wait_over(void *ctx)
{
    struct watcher *w = ctx;

    w->waited = true;
    loop_stop(w->loop);
}

static void on_stop(void *ctx, int count)
{
    struct watcher *w = ctx;

    (void)count;
    w->detached = true;
    loop_stop(w->loop);
}

/* --- its parts --------------------------------------------------------------------- */

static enum err_code open_loop(struct watcher *w, struct err *err)
{
    if (w->client->api_url) {
        if (api_client_new(w->client, &w->api, err) == ERR_OK)
            w->loop = api_client_loop(w->api);
    } else if (loop_new(&w->loop, err) != ERR_OK) {
        w->loop = NULL;
    }
    return err->code;
}

static enum err_code watcher_open(struct watcher *w, struct err *err)
{
    if (open_loop(w, err) != ERR_OK || loop_on_stop(w->loop, on_stop, w, err) != ERR_OK ||
        run_show_init(&w->show, w->client, w->run_id, w->loop, err) != ERR_OK)
        return err->code;
    w->patience = timer_new(w->loop, on_patience, w);
    w->wait = timer_new(w->loop, on_wait_over, w);
    if (!w->patience || !w->wait)
        return err_set(err, ERR_NOMEM, "cannot follow");
    if (w->client->wait_ms)
        timer_start(w->wait, w->client->wait_ms);
    return ERR_OK;
}

static void watcher_close(struct watcher *w)
{
    follow_free(w->follow);
    api_stream_free(w->stream);
    run_show_release(&w->show);
    if (w->patience)
        timer_free(w->patience);
    if (w->wait)
        timer_free(w->wait);
    if (w->api)
        api_client_free(w->api);
    else if (w->loop)
        loop_free(w->loop);
    kafka_admin_free(w->admin);
    topics_release(&w->topics);
}

/* Submits the request and hands out its id, once Kafka has acknowledged it. */
static enum err_code submit(struct watcher *w, const struct run_request *r, struct err *err)
{
    static const struct submit_events nothing = {0};
    struct submitter *s = NULL;

    if (submitter_new(w->loop, w->client, &w->topics, false, &nothing, NULL, &s, err) == ERR_OK &&
        submitter_send(s, r, LANE_INTERACTIVE, err) == ERR_OK &&
        submitter_finish(s, err) == ERR_OK) {
        w->submitted = true;
        run_show_settle(&w->show);
        if (!w->client->quiet)
            fprintf(stderr, "run %s\n", r->run_id);
    }
    submitter_free(s);
    return err->code;
}

static bool is_over(const struct watcher *w)
{
    return w->show.render.ended || w->ended[0] || w->show.gone || w->detached || w->waited ||
           w->failed.code != ERR_OK || w->show.failed.code != ERR_OK;
}

static enum err_code watch(struct watcher *w, const struct partition *at, bool young,
                           struct err *err)
{
    const struct api_stream_opts opts = {
        .run_id = w->run_id, .since = w->client->since, .young = young};

    if (w->api)
        (void)!api_stream_start(w->api, &opts, &stream_events, w, &w->stream, err);
    else
        (void)!follow_start(w->loop, w->client, at, w->run_id, &follow_events, w, &w->follow, err);
    if (err->code != ERR_OK)
        return err->code;
    w->begun_ms = loop_now_ms(w->loop);
    timer_start(w->patience, PATIENCE_MS);
    while (!is_over(w)) /* the submission may have left a stop behind */
        loop_run(w->loop);
    run_show_settle(&w->show);
    return ERR_OK;
}

/* --- how it ended ------------------------------------------------------------------ */

static int fail(struct watcher *w, const struct err *e)
{
    run_show_settle(&w->show);
    return w->api ? api_fail(e) : client_fail(e);
}

static void say_how_to_come_back(const struct watcher *w)
{
    client_note("the run goes on. Come back with: sandfleet follow %s", w->run_id);
    client_note("or end it with: sandfleet cancel %s", w->run_id);
}

static int verdict(struct watcher *w)
{
    if (w->show.failed.code != ERR_OK)
        return client_fail(&w->show.failed);
    if (w->show.render.ended)
        return w->show.render.end == EVENT_RUN_COMPLETED ? EXIT_OK : EXIT_RUN_FAILED;
    if (w->ended[0])
        return strcmp(w->ended, "completed") == 0 ? EXIT_OK : EXIT_RUN_FAILED;
    if (w->show.gone)
        return EXIT_OK;
    if (w->failed.code != ERR_OK) {
        int status = fail(w, &w->failed);

        if (w->submitted || err_action(w->failed.code) == ERR_DO_RETRY)
            say_how_to_come_back(w);
        return status;
    }
    client_note("%s", w->waited ? "the wait is over" : "detached");
    say_how_to_come_back(w);
    return w->waited ? EXIT_WAITED : EXIT_INTERRUPTED;
}

static struct watcher watcher_of(const struct client *c)
{
    return (struct watcher){.client = c, .failed = ERR_INIT};
}

static enum err_code run_one(struct watcher *w, const struct run_request *r, struct err *err)
{
    struct partition at = {0};

    memcpy(w->run_id, r->run_id, UUID_TEXT);
    /* the events' end is asked for before the request goes out: nothing can lie before it, but
     * for a run that the same idempotency key started earlier */
    if (watcher_open(w, err) != ERR_OK ||
        client_connect(w->client, &w->topics, &w->admin, err) != ERR_OK ||
        (!w->api && follow_locate(&w->topics, w->admin, w->run_id, r->idempotency_key != NULL, &at,
                                  err) != ERR_OK) ||
        submit(w, r, err) != ERR_OK || w->detached)
        return err->code;
    return watch(w, &at, true, err);
}

/* Before the run is followed, it is Kafka that is at fault. */
static int fail_to_run(struct watcher *w, const struct err *e)
{
    run_show_settle(&w->show);
    return client_fail(e);
}

int command_run(struct client *c, int n, char **words)
{
    struct watcher w = watcher_of(c);
    struct request_defaults defaults = {.flags = c};
    struct run_request r = RUN_REQUEST_INIT;
    struct err err = ERR_INIT;
    AUTO_BUF prompt = BUF_INIT(RUN_PROMPT_MAX_BYTES);

    if (prompt_read(c, n, words, &prompt, &err) == ERR_OK &&
        request_from_flags(&defaults, buf_str(&prompt), &r, &err) == ERR_OK)
        run_one(&w, &r, &err);
    int status = err.code == ERR_OK ? verdict(&w) : fail_to_run(&w, &err);
    watcher_close(&w);
    run_request_release(&r);
    return status;
}

static enum err_code follow_one(struct watcher *w, struct err *err)
{
    struct partition at = {0};

    if (watcher_open(w, err) != ERR_OK)
        return err->code;
    if (!w->api && (client_connect(w->client, &w->topics, &w->admin, err) != ERR_OK ||
                    follow_locate(&w->topics, w->admin, w->run_id, true, &at, err) != ERR_OK))
        return err->code;
    return watch(w, &at, api_run_is_young(str_of(w->run_id)), err);
}

int command_follow(struct client *c, int n, char **words)
{
    struct watcher w = watcher_of(c);
    struct err err = ERR_INIT;

    if (n != 1 || !uuid_valid(str_of(words[0]))) {
        err_set(&err, ERR_USAGE, "follow takes a run id, as run and submit print it");
        return client_fail(&err);
    }
    memcpy(w.run_id, words[0], UUID_TEXT);
    follow_one(&w, &err);
    int status = err.code == ERR_OK ? verdict(&w) : fail(&w, &err);
    watcher_close(&w);
    return status;
}

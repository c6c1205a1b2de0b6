/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet run` and `sandfleet follow`: a run to its end, on the terminal. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/uuid.h"
#include "producer/follow.h"
#include "producer/prompt_input.h"
#include "producer/render.h"
#include "producer/request_build.h"
#include "producer/submitter.h"
#include "producer/terminal.h"
#include "common/banned.h"

enum { PATIENCE_MS = 10000, TICK_MS = 1000 };

struct watcher { /* a run being followed */
    const struct client *client;
    struct topics topics;
    struct kafka_admin *admin;
    struct loop *loop;
    struct follow *follow;
    struct timer *patience, *wait, *tick;
    struct render render;
    struct buf out;
    char run_id[UUID_TEXT];
    bool gone, detached, waited;
    struct err failed;
};

static struct render render_for_stdout(void)
{
    struct terminal t = terminal_of(STDOUT_FILENO);

    return (struct render){.colour = t.colour,
                           .unicode = t.unicode,
                           .live = t.interactive,
                           .columns = t.terminal ? t.columns : 0,
                           .rows = t.rows};
}

static void on_event(void *ctx, const struct event_view *v, int64_t sequence, struct str value)
{
    struct watcher *w = ctx;
    bool last = v->known_type && event_is_terminal(v->event.type);

    (void)sequence;
    timer_stop(w->patience);
    buf_clear(&w->out);
    if (w->client->output == OUTPUT_TEXT) {
        render_event(&w->render, v, &w->out);
    } else if (w->client->output == OUTPUT_JSONL || last) {
        buf_addstr(&w->out, value);
        buf_addc(&w->out, '\n');
    }
    if (last) {
        w->render.ended = true;
        w->render.end = v->event.type;
        loop_stop(w->loop);
    }
    if (!client_put(w->out.p, w->out.len, &w->gone, &w->failed) || w->gone)
        loop_stop(w->loop);
}

/* A live terminal is told the time, and is asked for its size. */
static void on_tick(void *ctx)
{
    struct watcher *w = ctx;
    struct terminal t = terminal_of(STDOUT_FILENO);

    w->render.columns = t.columns;
    w->render.rows = t.rows;
    buf_clear(&w->out);
    render_tick(&w->render, loop_now_ms(w->loop), &w->out);
    if (!client_put(w->out.p, w->out.len, &w->gone, &w->failed) || w->gone)
        loop_stop(w->loop);
    timer_start(w->tick, TICK_MS);
}

static void settle(struct watcher *w)
{
    buf_clear(&w->out);
    render_settle(&w->render, &w->out);
    if (w->failed.code == ERR_OK)
        client_put(w->out.p, w->out.len, &w->gone, &w->failed);
}

static void on_failed(void *ctx, const struct err *e)
{
    struct watcher *w = ctx;

    w->failed = *e;
    loop_stop(w->loop);
}

static const struct follow_events follow_events = {.event = on_event, .failed = on_failed};

static void on_patience(void *ctx)
{
    settle(ctx);
    client_note("no worker has taken the run yet; it stays queued. Is a worker up, with a free "
                "slot? (ops/dev status)");
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

static enum err_code watcher_open(struct watcher *w, struct err *err)
{
    if (client_connect(w->client, &w->topics, &w->admin, err) != ERR_OK ||
        loop_new(&w->loop, err) != ERR_OK || loop_on_stop(w->loop, on_stop, w, err) != ERR_OK)
        return err->code;
    w->patience = timer_new(w->loop, on_patience, w);
    w->wait = timer_new(w->loop, on_wait_over, w);
    w->tick = timer_new(w->loop, on_tick, w);
    if (!w->patience || !w->wait || !w->tick)
        return err_set(err, ERR_NOMEM, "cannot follow");
    if (w->client->wait_ms)
        timer_start(w->wait, w->client->wait_ms);
    return ERR_OK;
}

static void watcher_close(struct watcher *w)
{
    follow_free(w->follow);
    if (w->patience)
        timer_free(w->patience);
    if (w->wait)
        timer_free(w->wait);
    if (w->tick)
        timer_free(w->tick);
    if (w->loop)
        loop_free(w->loop);
    kafka_admin_free(w->admin);
    topics_release(&w->topics);
    render_release(&w->render);
    buf_release(&w->out);
}

/* Submits the request and hands out its id, once Kafka has acknowledged it. */
static enum err_code submit(struct watcher *w, const struct run_request *r, struct err *err)
{
    static const struct submit_events nothing = {0};
    struct submitter *s = NULL;

    if (submitter_new(w->loop, w->client, &w->topics, &nothing, NULL, &s, err) == ERR_OK &&
        submitter_send(s, r, LANE_INTERACTIVE, err) == ERR_OK &&
        submitter_finish(s, err) == ERR_OK && !w->client->quiet)
        fprintf(stderr, "run %s\n", r->run_id);
    submitter_free(s);
    return err->code;
}

static enum err_code watch(struct watcher *w, const struct partition *at, struct err *err)
{
    if (follow_start(w->loop, w->client, at, w->run_id, &follow_events, w, &w->follow, err) !=
        ERR_OK)
        return err->code;
    timer_start(w->patience, PATIENCE_MS);
    if (w->render.live && w->client->output == OUTPUT_TEXT) {
        render_doing(&w->render, "waiting for a worker", loop_now_ms(w->loop));
        on_tick(w);
    }
    loop_run(w->loop);
    settle(w);
    return ERR_OK;
}

static int verdict(const struct watcher *w)
{
    if (w->failed.code != ERR_OK)
        return client_fail(&w->failed);
    if (w->render.ended)
        return w->render.end == EVENT_RUN_COMPLETED ? EXIT_OK : EXIT_RUN_FAILED;
    if (w->gone)
        return 0;
    client_note("%s; the run goes on. Come back with: sandfleet follow %s",
                w->waited ? "the wait is over" : "detached", w->run_id);
    client_note("or end it with: sandfleet cancel %s", w->run_id);
    return w->waited ? EXIT_WAITED : EXIT_INTERRUPTED;
}

static struct watcher watcher_of(const struct client *c)
{
    return (struct watcher){.client = c,
                            .render = render_for_stdout(),
                            .out = BUF_INIT(8 * EVENT_MAX_BYTES),
                            .failed = ERR_INIT};
}

static enum err_code run_one(struct watcher *w, const struct run_request *r, struct err *err)
{
    struct partition at;

    memcpy(w->run_id, r->run_id, UUID_TEXT);
    /* the events' end is asked for before the request goes out: nothing can lie before it, but
     * for a run that the same idempotency key started earlier */
    if (watcher_open(w, err) != ERR_OK ||
        follow_locate(&w->topics, w->admin, w->run_id, r->idempotency_key != NULL, &at, err) !=
            ERR_OK ||
        submit(w, r, err) != ERR_OK || w->detached)
        return err->code;
    return watch(w, &at, err);
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
    int status = err.code == ERR_OK ? verdict(&w) : client_fail(&err);
    watcher_close(&w);
    run_request_release(&r);
    return status;
}

int command_follow(struct client *c, int n, char **words)
{
    struct watcher w = watcher_of(c);
    struct partition at;
    struct err err = ERR_INIT;

    if (n != 1 || !uuid_valid(str_of(words[0]))) {
        err_set(&err, ERR_USAGE, "follow takes a run id, as run and submit print it");
        return client_fail(&err);
    }
    memcpy(w.run_id, words[0], UUID_TEXT);
    if (watcher_open(&w, &err) == ERR_OK &&
        follow_locate(&w.topics, w.admin, w.run_id, true, &at, &err) == ERR_OK)
        watch(&w, &at, &err);
    int status = err.code == ERR_OK ? verdict(&w) : client_fail(&err);
    watcher_close(&w);
    return status;
}

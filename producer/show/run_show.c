/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/run_show.h"

#include <unistd.h>

#include "producer/api/api_event.h"
#include "producer/show/terminal.h"
#include "common/banned.h"

enum { TICK_MS = 1000, OUT_MAX = 8 * EVENT_MAX_BYTES };

static void put_out(struct run_show *s)
{
    if (s->failed.code != ERR_OK || s->gone)
        return;
    if (!client_put(s->out.p, s->out.len, &s->gone, &s->failed) || s->gone)
        loop_stop(s->loop);
}

/* The window may have another size now. */
static void measure(struct run_show *s)
{
    struct terminal t = terminal_of(STDOUT_FILENO);

    s->render.columns = t.terminal ? t.columns : 0;
    s->render.rows = t.rows;
}

static void on_tick(void *ctx)
{
    struct run_show *s = ctx;

    measure(s);
    buf_clear(&s->out);
    render_tick(&s->render, loop_now_ms(s->loop), &s->out);
    put_out(s);
    timer_start(s->tick, TICK_MS);
}

enum err_code run_show_init(struct run_show *s, const struct client *c, const char *run_id,
                            struct loop *l, struct err *err)
{
    struct terminal t = terminal_of(STDOUT_FILENO);

    *s = (struct run_show){.client = c,
                           .run_id = run_id,
                           .loop = l,
                           .out = BUF_INIT(OUT_MAX),
                           .render = {.colour = t.colour,
                                      .unicode = t.unicode,
                                      .full = c->full,
                                      .live = t.interactive && c->output == OUTPUT_TEXT}};
    measure(s);
    s->tick = timer_new(l, on_tick, s);
    if (!s->tick)
        return err_set(err, ERR_NOMEM, "cannot show the run");
    if (s->render.live) {
        render_doing(&s->render, "waiting for a worker", loop_now_ms(l));
        timer_start(s->tick, 0);
    }
    return ERR_OK;
}

void run_show_release(struct run_show *s)
{
    if (s->tick)
        timer_free(s->tick);
    render_release(&s->render);
    buf_release(&s->out);
}

static void put_json(struct run_show *s, const struct event_view *v, int64_t sequence,
                     struct str json)
{
    size_t at;

    buf_addf(&s->out, "{\"run_id\":\"%s\"", s->run_id);
    at = s->out.len;
    if (json.n)
        buf_addstr(&s->out, json);
    else
        api_event_write(v, sequence, &s->out);
    if (s->out.rc == ERR_OK)
        s->out.p[at] = ','; /* for its brace */
    buf_addc(&s->out, '\n');
}

void run_show_event(struct run_show *s, const struct event_view *v, int64_t sequence,
                    struct str json)
{
    bool last = v->known_type && event_is_terminal(v->event.type);

    buf_clear(&s->out);
    if (s->client->output == OUTPUT_TEXT)
        render_event(&s->render, v, &s->out);
    else if (s->client->output == OUTPUT_JSONL || last)
        put_json(s, v, sequence, json);
    if (last) {
        s->render.ended = true;
        s->render.end = v->event.type;
    }
    if (s->out.rc == ERR_OK)
        put_out(s);
    if (last)
        loop_stop(s->loop);
}

void run_show_settle(struct run_show *s)
{
    buf_clear(&s->out);
    render_settle(&s->render, &s->out);
    put_out(s);
}

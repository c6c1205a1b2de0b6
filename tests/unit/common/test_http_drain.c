/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: long streams are read in few turns, byte for byte; nothing else waits for that; a
 * flood does not keep others from their turn; a callback may end any stream.
 * Proof: a server in the same loop that writes when the test says. */
#include "http_world.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { DRAIN_MS = 50, EAGER = 16, STREAMS = 3, PERIOD = 251, PUSH_BYTES = 256 << 10 };

static char pattern[PUSH_BYTES + PERIOD]; /* what every stream carries, over and over */

static struct stream {
    struct world *w;
    struct http_req *r;
    size_t bytes, pieces, disorder;
    bool ended;
    struct stream *victim; /* cancelled at the next piece */
} streams[STREAMS];

static struct timer *writer;
static int left, turns;

static void on_flow(void *ctx, struct str piece)
{
    struct stream *s = ctx;
    s->disorder += memcmp(piece.p, pattern + s->bytes % PERIOD, piece.n) != 0;
    s->bytes += piece.n;
    s->pieces++;
    if (s->victim) {
        http_cancel(s->victim->r);
        s->victim->r = NULL;
        s->victim = NULL;
    }
}

static void on_flow_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct stream *s = ctx;
    (void)a;
    assert_string_equal(err_name(e->code), "UNAVAILABLE"); /* the server hangs up, always */
    s->ended = true;
    s->r = NULL;
    loop_stop(s->w->l);
}

static void open_stream(struct world *w, int i)
{
    static const struct http_events ev = {.data = on_flow, .done = on_flow_done};
    char url[64];
    struct http_call call = {.method = "GET", .url = url, .stream = true};
    streams[i] = (struct stream){.w = w};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/flow", w->s.port);
    assert_int_equal(http_start(w->h, &call, &ev, &streams[i], &streams[i].r, NULL), ERR_OK);
}

/* How much of the pattern each connection was sent. */
static size_t sent[64];

static ssize_t push(struct world *w, size_t conn, size_t n)
{
    ssize_t done = write(w->s.conns[conn]->fd, pattern + sent[conn] % PERIOD, n);
    sent[conn] += done > 0 ? (size_t)done : 0;
    return done;
}

static void turn_off(void *ctx)
{
    loop_stop(((struct world *)ctx)->l);
}

/* Runs the loop until nothing more is expected to come. */
static void run_ms(struct world *w, int64_t ms)
{
    struct timer *t = timer_new(w->l, turn_off, w);
    timer_start(t, ms);
    loop_run(w->l);
    timer_free(t);
}

static void until_bytes(struct world *w, const struct stream *s, size_t want)
{
    while (s->bytes < want)
        run_ms(w, 2);
}

/* One byte each, seen one by one: from then on it is a long stream. */
static void make_long(struct world *w, int i)
{
    while (w->s.n_conns <= (size_t)i || strlen(w->s.conns[i]->in) == 0)
        run_ms(w, 1);
    for (size_t n = 1; n <= EAGER; n++) {
        assert_int_equal(push(w, (size_t)i, 1), 1);
        until_bytes(w, &streams[i], n);
    }
    assert_int_equal(streams[i].pieces, EAGER);
}

static void write_more(void *ctx)
{
    struct world *w = ctx;
    if (left-- == 0)
        return;
    assert_int_equal(push(w, 0, 7), 7);
    timer_start(writer, 1);
}

static void many_writes_are_few_reads(void **state)
{
    struct world *w = *state;
    open_stream(w, 0);
    make_long(w, 0);
    left = 200;
    writer = timer_new(w->l, write_more, w);
    timer_start(writer, 1);
    until_bytes(w, &streams[0], EAGER + 1400);
    timer_free(writer);
    assert_int_equal(streams[0].disorder, 0);
    if (streams[0].pieces - EAGER > 20)
        fail_msg("200 writes were read in %zu pieces", streams[0].pieces - EAGER);
}

static void small_calls_do_not_wait(void **state)
{
    struct world *w = *state;
    int64_t begun;
    open_stream(w, 0);
    make_long(w, 0);
    push(w, 0, 1);
    begun = loop_now_ms(w->l);
    for (int i = 0; i < 10; i++) {
        start(w, "/ok", (struct http_call){0}, &collecting);
        loop_run(w->l);
    }
    assert_int_equal(w->done, 10);
    assert_true(loop_now_ms(w->l) - begun < 5 * DRAIN_MS);
    until_bytes(w, &streams[0], EAGER + 1);
}

static void a_hang_up_is_seen(void **state)
{
    struct world *w = *state;
    open_stream(w, 0);
    make_long(w, 0);
    push(w, 0, 100);
    conn_close(w->s.conns[0]);
    while (!streams[0].ended)
        loop_run(w->l);
    assert_int_equal(streams[0].bytes, EAGER + 100);
    assert_int_equal(streams[0].disorder, 0);
}

static void one_stream_ends_others_in_the_same_turn(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < STREAMS; i++) {
        open_stream(w, i);
        make_long(w, i);
    }
    streams[0].victim = &streams[1];
    streams[2].victim = &streams[1];
    for (size_t i = 0; i < STREAMS; i++)
        push(w, i, 10);
    until_bytes(w, &streams[0], EAGER + 10);
    until_bytes(w, &streams[2], EAGER + 10);
    assert_null(streams[1].r);
    run_ms(w, 3 * DRAIN_MS);
    assert_false(streams[1].ended);
}

static void free_pool(void *ctx, struct str piece)
{
    struct stream *s = ctx;
    on_flow(ctx, piece);
    if (s->pieces <= EAGER)
        return;
    http_free(s->w->h);
    s->w->h = NULL;
    loop_stop(s->w->l);
}

static void the_pool_is_freed_while_draining(void **state)
{
    static const struct http_events ev = {.data = free_pool, .done = on_flow_done};
    struct world *w = *state;
    char url[64];
    struct http_call call = {.method = "GET", .url = url, .stream = true};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/flow", w->s.port);
    open_stream(w, 0);
    make_long(w, 0);
    streams[1] = (struct stream){.w = w};
    assert_int_equal(http_start(w->h, &call, &ev, &streams[1], &streams[1].r, NULL), ERR_OK);
    make_long(w, 1);
    push(w, 0, 10);
    push(w, 1, 10);
    while (w->h)
        loop_run(w->l);
}

/* --- a flood ------------------------------------------------------------------ */

enum { FLOOD_BYTES = 8 << 20 };

/* Another process, so that there is always more to read: of the first stream without an end. */
static pid_t flood(struct world *w)
{
    struct pollfd fds[STREAMS];
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < STREAMS; i++)
        fds[i] = (struct pollfd){.fd = w->s.conns[i]->fd, .events = POLLOUT};
    for (;;) {
        poll(fds, STREAMS, -1);
        for (size_t i = 0; i < STREAMS; i++)
            if (fds[i].revents && ((i > 0 && sent[i] > FLOOD_BYTES) || push(w, i, PUSH_BYTES) < 0))
                fds[i].fd = -1;
    }
}

static void count_turn(void *ctx)
{
    (void)ctx;
    turns++;
    timer_start(writer, 1);
}

static void a_flood_is_shared_and_lets_others_run(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < STREAMS; i++) {
        open_stream(w, i);
        make_long(w, i);
    }
    pid_t pid = flood(w);
    writer = timer_new(w->l, count_turn, w);
    timer_start(writer, 1);
    for (int i = 1; i < STREAMS; i++) /* for ever, if the first one kept them from their turn */
        until_bytes(w, &streams[i], FLOOD_BYTES);
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(streams[i].disorder, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    timer_free(writer);
    if (turns < 20)
        fail_msg("the loop had %d turns during the flood", turns);
}

static int setup_drain(void **state)
{
    static const struct http_opts opts = {.drain_ms = DRAIN_MS};
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % PERIOD);
    memset(sent, 0, sizeof sent);
    turns = 0;
    world_opts = &opts;
    return setup(state);
}

#define DRAIN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_drain, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRAIN_TEST(many_writes_are_few_reads),
        DRAIN_TEST(small_calls_do_not_wait),
        DRAIN_TEST(a_hang_up_is_seen),
        DRAIN_TEST(one_stream_ends_others_in_the_same_turn),
        DRAIN_TEST(the_pool_is_freed_while_draining),
        DRAIN_TEST(a_flood_is_shared_and_lets_others_run),
    };
    unsetenv("http_proxy");
    return cmocka_run_group_tests_name("http_drain", tests, NULL, NULL);
}

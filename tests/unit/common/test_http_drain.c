/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: long streams are read in few turns, byte for byte; nothing else waits for that; a
 * flood does not keep others from their turn; what was not read in time is no silence; a callback
 * may end any stream.
 * Proof: a server in the same loop that writes when the test says. */
#include "http_world.h"

#include <sys/eventfd.h>

#include "common/http/http_internal.h"

enum {
    DRAIN_MS = 50,
    EAGER = 16,
    STREAMS = 3,
    FLOODS = 12,
    PERIOD = 251,
    PUSH_BYTES = 256 << 10,
    SILENCE_MS = 600,
    CURL_LOOKS_MS = 300 /* by timers of its own curl looks at a socket, until so long after its
                           connection: tests of who is read when begin behind that */
};

static char pattern[PUSH_BYTES + PERIOD]; /* what every stream carries, over and over */

static struct stream {
    struct world *w;
    struct http_req *r;
    size_t bytes, pieces, disorder;
    size_t fed;    /* in this turn of a flood */
    size_t early;  /* of a long stream's pieces, those of another turn, so soon that even a lone
                      stream should have waited */
    int64_t at_ms; /* of the last piece */
    bool ended;
    struct stream *victim; /* cancelled at the next piece */
} streams[FLOODS];

static struct timer *writer;
static int left;
static int64_t silence_ms; /* of streams that are opened; 0: they may be silent */

/* How much of the pattern each connection was sent. */
static size_t sent[64];

static ssize_t push(struct world *w, size_t conn, size_t n)
{
    ssize_t done = write(w->s.conns[conn]->fd, pattern + sent[conn] % PERIOD, n);
    sent[conn] += done > 0 ? (size_t)done : 0;
    return done;
}

/* --- a flood ------------------------------------------------------------------ */

/* The set is read when its time has come, and once more behind that; without a ceiling it would be
 * every stream. FED_BYTES is less than what curl reads of a socket at once: of one with more it
 * reads again by a timer of its own. */
enum {
    FLOOD_BYTES = 4 << 20,
    FED_BYTES = 1 << 20,
    TURN_BYTES = 2 * (HTTP_TURN_MAX_BYTES + FED_BYTES + PUSH_BYTES)
};

static bool flooding;
static size_t in_turn; /* bytes of all streams since others had a turn */

/* At every piece as much again, so that there is always more to read in the next turn: of the first
 * stream without an end. */
static void flood_on(struct stream *s, size_t n)
{
    size_t i = (size_t)(s - streams);
    in_turn += n;
    if (in_turn > TURN_BYTES)
        fail_msg("%zu bytes were read, and nobody else had a turn", in_turn);
    if (s->fed + n > FED_BYTES || (i > 0 && sent[i] > FLOOD_BYTES))
        return;
    s->fed += n;
    assert_true(push(s->w, i, n) > 0);
}

static void count_turn(void *ctx)
{
    (void)ctx;
    in_turn = 0;
    for (size_t i = 0; i < FLOODS; i++) {
        struct stream *s = &streams[i];
        if (s->fed > 0 && s->bytes == sent[i] && (i == 0 || sent[i] <= FLOOD_BYTES))
            push(s->w, i, PUSH_BYTES);
        s->fed = 0;
    }
    timer_start(writer, 0);
}

/* --- streams ------------------------------------------------------------------ */

static void on_flow(void *ctx, struct str piece)
{
    struct stream *s = ctx;
    int64_t now_ms = loop_now_ms(s->w->l);
    s->disorder += memcmp(piece.p, pattern + s->bytes % PERIOD, piece.n) != 0;
    s->bytes += piece.n;
    if (s->pieces++ >= EAGER && now_ms > s->at_ms && now_ms - s->at_ms < DRAIN_MS / 5)
        s->early++;
    s->at_ms = now_ms;
    if (flooding)
        flood_on(s, piece.n);
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
    struct http_call call = {.method = "GET", .url = url, .stream = true, .silence_ms = silence_ms};
    streams[i] = (struct stream){.w = w};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/flow", w->s.port);
    assert_int_equal(http_start(w->h, &call, &ev, &streams[i], &streams[i].r, NULL), ERR_OK);
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
    run_ms(w, CURL_LOOKS_MS);
    left = 200;
    writer = timer_new(w->l, write_more, w);
    timer_start(writer, 1);
    until_bytes(w, &streams[0], EAGER + 1400);
    timer_free(writer);
    assert_int_equal(streams[0].disorder, 0);
    assert_int_equal(streams[0].early, 0);
}

static void small_calls_do_not_wait(void **state)
{
    struct world *w = *state;
    open_stream(w, 0);
    make_long(w, 0);
    push(w, 0, 1);
    for (int i = 0; i < 10; i++) {
        start(w, "/ok", (struct http_call){0}, &collecting);
        loop_run(w->l);
    }
    assert_int_equal(w->done, 10);
    assert_int_equal(streams[0].bytes, EAGER); /* it still waits, longer than any test may */
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

/* --- a loop that is kept from running --------------------------------------- */

struct stall {
    struct watch *watch;
    int always_ready, to;
    const char *bytes;
    int64_t ms;
};

static void on_stall(void *ctx, int events)
{
    struct stall *s = ctx;
    (void)events;
    watch_free(s->watch);
    close(s->always_ready);
    assert_true(write(s->to, s->bytes, strlen(s->bytes)) > 0);
    usleep((useconds_t)s->ms * 1000);
}

/* Behind the next look at the sockets these bytes come in, and nothing runs for so long: timers
 * that are due then come before the next look. */
static void stall(struct world *w, struct stall *s)
{
    s->always_ready = eventfd(1, EFD_CLOEXEC);
    s->watch = watch_new(w->l, s->always_ready, on_stall, s);
    watch_set(s->watch, WATCH_READ);
}

/* Silence would be told of as TIMEOUT, which on_flow_done() does not accept. */
static void bytes_that_wait_are_no_silence(void **state)
{
    struct world *w = *state;
    struct stall s = {.bytes = "x", .ms = SILENCE_MS + DRAIN_MS};
    int64_t begun_ms;
    silence_ms = SILENCE_MS;
    open_stream(w, 0);
    make_long(w, 0);
    begun_ms = loop_now_ms(w->l);
    while (loop_now_ms(w->l) - begun_ms < CURL_LOOKS_MS) {
        push(w, 0, 1);
        until_bytes(w, &streams[0], sent[0]);
    }
    run_ms(w, 3 * DRAIN_MS); /* then the drain set is asleep */
    s.to = w->s.conns[0]->fd;
    stall(w, &s);
    until_bytes(w, &streams[0], sent[0] + 1);
}

/* --- many at once --------------------------------------------------------------- */

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

static void a_flood_is_shared_and_lets_others_run(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < FLOODS; i++) {
        open_stream(w, i);
        make_long(w, i);
    }
    run_ms(w, CURL_LOOKS_MS);
    flooding = true;
    for (size_t i = 0; i < FLOODS; i++)
        assert_int_equal(push(w, i, PUSH_BYTES), PUSH_BYTES);
    writer = timer_new(w->l, count_turn, w);
    timer_start(writer, 0);
    for (int i = 1; i < FLOODS; i++) /* for ever, if the first one kept them from their turn */
        until_bytes(w, &streams[i], FLOOD_BYTES);
    for (int i = 0; i < FLOODS; i++)
        assert_int_equal(streams[i].disorder, 0);
    timer_free(writer);
}

static int setup_opts(void **state, const struct http_opts *opts)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % PERIOD);
    memset(sent, 0, sizeof sent);
    flooding = false;
    in_turn = 0;
    silence_ms = 0;
    world_opts = opts;
    return setup(state);
}

static int setup_drain(void **state)
{
    static const struct http_opts opts = {.drain_ms = DRAIN_MS};
    return setup_opts(state, &opts);
}

static int setup_no_drain(void **state)
{
    return setup_opts(state, NULL);
}

static int setup_slow_drain(void **state)
{
    static const struct http_opts opts = {.drain_ms = 60000};
    return setup_opts(state, &opts);
}

#define DRAIN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_drain, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRAIN_TEST(many_writes_are_few_reads),
        cmocka_unit_test_setup_teardown(small_calls_do_not_wait, setup_slow_drain, teardown),
        DRAIN_TEST(bytes_that_wait_are_no_silence),
        {"bytes_that_wait_undrained_are_no_silence", bytes_that_wait_are_no_silence, setup_no_drain,
         teardown, NULL},
        DRAIN_TEST(a_hang_up_is_seen),
        DRAIN_TEST(one_stream_ends_others_in_the_same_turn),
        DRAIN_TEST(the_pool_is_freed_while_draining),
        DRAIN_TEST(a_flood_is_shared_and_lets_others_run),
    };
    unsetenv("http_proxy");
    return cmocka_run_group_tests_name("http_drain", tests, NULL, NULL);
}

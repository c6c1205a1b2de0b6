/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: bodies travel piece by piece both ways, in memory for a piece or two: who holds gets no
 * byte more, who has nothing yet is asked again when there is something; silence of one's own
 * making is no failure; an address is looked at before it is tried.
 * Proof: a scripted server in the same loop, which reads nothing for a while and sends without end.
 */
#include "http_world.h"

#include "common/net.h"

/* --- up --- */

enum { PIECE = 1000, SILENCE_MS = 400, OWN_SILENCE_MS = 2 * SILENCE_MS };

static struct {
    int64_t left, given;
    bool later; /* nothing for now, once */
    bool stop;
    struct http_req *req;
    struct timer *timer;
} up;

static void on_wake(void *ctx)
{
    (void)ctx;
    http_go_on(up.req);
}

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    size_t n = room < PIECE ? room : PIECE;

    (void)ctx;
    if (up.stop)
        return HTTP_STOP;
    if (up.later) {
        up.later = false;
        timer_start(up.timer, OWN_SILENCE_MS);
        return HTTP_LATER;
    }
    n = (uint64_t)up.left < n ? (size_t)up.left : n;
    memset(p, 'x', n);
    up.left -= (int64_t)n;
    up.given += (int64_t)n;
    return (ssize_t)n;
}

static const struct http_events pulling = {.done = on_done, .more = on_more};

static void a_body_is_pulled(void **state)
{
    struct world *w = *state;

    memset(&up, 0, sizeof up);
    up.left = 5000;
    up.later = true;
    up.timer = timer_new(w->l, on_wake, NULL);
    up.req =
        start(w, "/ok",
              (struct http_call){
                  .method = "POST", .pulls = true, .pull_bytes = 5000, .silence_ms = SILENCE_MS},
              &pulling);
    loop_run(w->l);
    timer_free(up.timer);
    assert_string_equal(err_name(w->e.code), "OK");
    assert_int_equal(up.given, 5000);
    assert_non_null(strstr(w->s.last, "POST /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(w->s.last, "\r\nContent-Length: 5000\r\n"));
    assert_null(strstr(w->s.last, "Expect"));
}

static void a_body_that_is_given_up_ends_the_request(void **state)
{
    struct world *w = *state;

    memset(&up, 0, sizeof up);
    up.stop = true;
    start(w, "/ok", (struct http_call){.method = "PUT", .pulls = true, .pull_bytes = -1}, &pulling);
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), "CANCELLED");
}

/* --- down --- */

static struct {
    struct http_req *req;
    struct world *w;
    int64_t bytes, at_hold;
    bool released;
    struct timer *begin, *later;
    struct watch *tap;
    int fd;
} down;

static void on_flow(void *ctx, struct str piece)
{
    (void)ctx;
    down.bytes += (int64_t)piece.n;
    if (down.at_hold == 0) {
        http_hold(down.req, true);
        down.at_hold = down.bytes;
    } else if (down.released && down.bytes > down.at_hold + 4096) {
        http_cancel(down.req);
        loop_stop(down.w->l);
    }
}

static const struct http_events flowing = {.data = on_flow, .done = on_done};

static void release(void *ctx)
{
    (void)ctx;
    assert_int_equal(down.bytes, down.at_hold); /* not a byte came while it was held */
    assert_int_equal(down.w->done, 0);          /* and its silence was no failure */
    down.released = true;
    http_hold(down.req, false);
}

static void flood(void *ctx, int events)
{
    const struct conn *c = ctx;
    char zeros[8192] = "";

    (void)events;
    while (write(c->fd, zeros, sizeof zeros) > 0)
        ;
}

/* Once the server has answered, it sends without end. */
static void open_tap(void *ctx)
{
    struct world *w = ctx;

    if (w->s.n_conns == 0 || !strstr(w->s.last, "/flow")) {
        timer_start(down.begin, 5);
        return;
    }
    down.fd = dup(w->s.conns[0]->fd);
    down.tap = watch_new(w->l, down.fd, flood, w->s.conns[0]);
    watch_set(down.tap, WATCH_WRITE);
    timer_start(down.later, OWN_SILENCE_MS);
}

static void who_holds_gets_nothing(void **state)
{
    struct world *w = *state;

    memset(&down, 0, sizeof down);
    down.w = w;
    down.later = timer_new(w->l, release, NULL);
    down.begin = timer_new(w->l, open_tap, w);
    down.req =
        start(w, "/flow", (struct http_call){.bulk = true, .silence_ms = SILENCE_MS}, &flowing);
    timer_start(down.begin, 5);
    loop_run(w->l);
    assert_true(down.bytes > down.at_hold);
    watch_free(down.tap);
    close(down.fd);
    timer_free(down.later);
    timer_free(down.begin);
}

/* --- addresses --- */

static bool public_only(void *ctx, const struct sockaddr *to)
{
    (void)ctx;
    return !net_private(to);
}

static void a_private_address_is_not_tried(void **state)
{
    struct world *w = *state;

    start(w, "/ok", (struct http_call){.allowed = public_only}, &collecting);
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), "INVALID");
    assert_non_null(strstr(w->e.msg, "not allowed"));
    assert_int_equal(w->s.accepted, 0);
}

static const struct {
    const char *base, *location, *want; /* want NULL: refused */
} places[] = {
    {"https://a.example/x/y?q", "z", "https://a.example/x/z"},
    {"https://a.example/x", "//b.example/", "https://b.example/"},
    {"https://a.example/x", "http://c.example/", "http://c.example/"},
    {"https://a.example/x", "http://", NULL},
};

static void a_redirect_leads_somewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(places); i++) {
        AUTO_BUF out = BUF_INIT(256);
        struct err e = ERR_INIT;

        if (http_resolve(places[i].base, places[i].location, &out, &e) != ERR_OK)
            assert_null(places[i].want);
        else
            assert_string_equal(out.p, places[i].want ? places[i].want : "refused");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_is_pulled), TEST(a_body_that_is_given_up_ends_the_request),
        TEST(who_holds_gets_nothing),

        TEST(a_private_address_is_not_tried), cmocka_unit_test(a_redirect_leads_somewhere)};

    return cmocka_run_group_tests_name("http_flow", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every request ends exactly once, unless cancelled, with an answer or
 * with the error whose action fits; ceilings and deadlines hold; a callback may
 * cancel any request or free the pool. Proof: a scripted server in the same loop. */
#include "http_world.h"

/* --- one row, one request --- */

static struct row {
    const char *name, *path;
    struct http_call call;
    bool stream;
    const char *want;
    int status;
    const char *body, *text; /* text: somewhere in the message */
    int64_t retry_ms, size;
} rows[] = {
    {"an answer", "/ok?q=1", {0}, false, "OK", 200, "hello", NULL, 0, -1},
    {"an answer without a body", "/none", {0}, false, "OK", 204, "", NULL, 0, -1},
    {"HEAD has no body", "/ok", {.method = "HEAD"}, false, "OK", 200, "", NULL, 0, -1},
    {"429 is an answer, with its wait", "/busy", {0}, false, "OK", 429, "busy", NULL, 7000, -1},
    {"an absurd wait is capped", "/ages", {0}, false, "OK", 503, "", NULL, 2592000000, -1},
    {"only 2xx is streamed", "/busy", {0}, true, "OK", 429, "busy", NULL, 7000, -1},
    {"a redirect is not followed", "/moved", {0}, false, "OK", 302, "", NULL, 0, -1},
    {"the size of a range", "/part", {0}, false, "OK", 206, "ab", NULL, 0, 1234},
    {"the size past the end", "/range", {0}, false, "OK", 416, "", NULL, 0, 77},
    {"an unreadable size", "/odd", {0}, false, "OK", 206, "ab", NULL, 0, -1},
    {"at the ceiling", "/ok", {.max_body = 5}, false, "OK", 200, "hello", NULL, 0, -1},
    {"over the ceiling", "/ok", {.max_body = 4}, false, "TOO_BIG", 200, NULL, "4 bytes", 0, -1},
    {"cut in the body", "/cut", {0}, false, "UNAVAILABLE", 200, "only this", "/cut", 0, -1},
    {"closed without an answer", "/empty", {0}, false, "UNAVAILABLE", 0, "", "/empty", 0, -1},
    {"not HTTP", "/junk?q=1", {0}, false, "PROTOCOL", 0, "", "/junk: ", 0, -1},
    {"silent before the answer",
     "/mute",
     {.silence_ms = 50},
     false,
     "TIMEOUT",
     0,
     "",
     "50 ms",
     0,
     -1},
    {"silent in the body", "/stall", {.silence_ms = 50}, true, "TIMEOUT", 200, "", "50 ms", 0, -1},
    {"B117 over the total time",
     "/mute",
     {.total_ms = 50},
     false,
     "TIMEOUT",
     0,
     "",
     "/mute",
     0,
     -1},
};

static struct row *row_of_test; /* cmocka gives a test one state; the world has it */

static int setup_row(void **state)
{
    row_of_test = *state;
    return setup(state);
}

static void check(void **state)
{
    struct world *w = *state;
    const struct row *row = row_of_test;
    start(w, row->path, row->call, row->stream ? &streaming : &collecting);
    assert_int_equal(w->done, 0);
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), row->want);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->status, row->status);
    assert_int_equal(w->retry_after_ms, row->retry_ms);
    assert_int_equal(w->range_size, row->size);
    if (row->body)
        assert_string_equal(w->body, row->body);
    if (row->text && !strstr(w->e.msg, row->text))
        fail_msg("'%s' is not in '%s'", row->text, w->e.msg);
    assert_null(strstr(w->e.msg, "q=1"));
}

/* --- stories --- */

static void it_says_what_it_is_told(void **state)
{
    struct world *w = *state;
    const char *headers[] = {"X-Key: k1", "Content-Type: application/json"};
    start(w, "/ok",
          (struct http_call){
              .method = "PATCH", .headers = headers, .n_headers = 2, .body = STR("{}")},
          &collecting);
    loop_run(w->l);
    assert_non_null(strstr(w->s.last, "PATCH /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(w->s.last, "\r\nX-Key: k1\r\n"));
    assert_non_null(strstr(w->s.last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(w->s.last, "\r\nUser-Agent: sandfleet/" SF_VERSION "\r\n"));
    assert_non_null(strstr(w->s.last, "\r\nContent-Length: 2\r\n"));
    assert_non_null(strstr(w->s.last, "\r\n\r\n{}"));
    assert_null(strstr(w->s.last, "Expect"));
    assert_string_equal(w->type, "text/x");
}

static void a_post_without_body_says_so(void **state)
{
    struct world *w = *state;
    start(w, "/ok", (struct http_call){.method = "POST"}, &collecting);
    loop_run(w->l);
    assert_non_null(strstr(w->s.last, "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(w->s.last, "Content-Type"));
}

static void connections_are_used_again(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++) {
        start(w, "/ok", (struct http_call){0}, &collecting);
        loop_run(w->l);
    }
    assert_int_equal(w->done, 5);
    assert_int_equal(w->s.accepted, 1);
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct http_call call = {.method = "GET", .url = "http://u:pw@127.0.0.1:1/x?token=t"};
    assert_int_equal(http_start(w->h, &call, &collecting, w, &w->r, NULL), ERR_OK);
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), "UNAVAILABLE");
    assert_non_null(strstr(w->e.msg, "GET http://127.0.0.1:1/x: "));
    assert_null(strstr(w->e.msg, "pw"));
    assert_null(strstr(w->e.msg, "token"));
}

static void refuse(struct world *w, struct http_call call)
{
    struct err e = ERR_INIT;
    assert_string_equal(err_name(http_start(w->h, &call, &collecting, w, &w->r, &e)), "INVALID");
}

static void bad_calls_are_refused_at_once(void **state)
{
    struct world *w = *state;
    const char *split[] = {"X: a\r\nX-Evil: b"}, *bare[] = {"no colon"};
    refuse(w, (struct http_call){.method = "GET", .url = "file:///etc/passwd"});
    refuse(w, (struct http_call){.method = "GET", .url = "http://"});
    refuse(w, (struct http_call){.method = "GET", .url = "http://a b/"});
    refuse(w, (struct http_call){.method = "G T", .url = "http://127.0.0.1/"});
    refuse(w, (struct http_call){
                  .method = "GET", .url = "http://a/", .headers = split, .n_headers = 1});
    refuse(w, (struct http_call){
                  .method = "GET", .url = "http://a/", .headers = bare, .n_headers = 1});
}

/* --- cancelling from everywhere --- */

static void cancel_self(void *ctx, struct str piece)
{
    struct world *w = ctx;
    on_data(ctx, piece);
    http_cancel(w->r);
    http_cancel(w->r); /* once more is harmless while the callback lasts */
    w->r = NULL;
    loop_stop(w->l);
}

static void cancelled_in_its_own_data_callback(void **state)
{
    struct world *w = *state;
    w->r = start(w, "/stall", (struct http_call){0},
                 &(struct http_events){.data = cancel_self, .done = on_done});
    loop_run(w->l);
    assert_int_equal(w->pieces, 1);
    start(w, "/ok", (struct http_call){0}, &collecting); /* the pool is well */
    loop_run(w->l);
    assert_int_equal(w->done, 1);
    assert_string_equal(w->body, "hello");
}

static void done_cancels_all(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct world *w = ctx;
    on_done(ctx, a, e);
    http_cancel(w->r); /* its own: already at its end */
    http_cancel(w->other);
}

static void done_cancels_itself_and_another(void **state)
{
    struct world *w = *state;
    const struct http_call silent = {.silence_ms = 300};
    w->other = start(w, "/mute", silent, &collecting);
    w->r = start(w, "/ok", (struct http_call){0}, &(struct http_events){.done = done_cancels_all});
    loop_run(w->l);
    start(w, "/mute", silent, &collecting); /* begun later, it ends later */
    loop_run(w->l);
    assert_int_equal(w->done, 2); /* the cancelled one never ended */
}

static void data_frees_pool(void *ctx, struct str piece)
{
    struct world *w = ctx;
    on_data(ctx, piece);
    http_free(w->h);
    w->h = NULL;
    loop_stop(w->l);
}

static void the_pool_is_freed_in_a_data_callback(void **state)
{
    struct world *w = *state;
    start(w, "/mute", (struct http_call){0}, &collecting);
    start(w, "/stall", (struct http_call){0},
          &(struct http_events){.data = data_frees_pool, .done = on_done});
    loop_run(w->l);
    assert_int_equal(w->pieces, 1);
    assert_int_equal(w->done, 0);
}

static void done_frees_pool(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct world *w = ctx;
    on_done(ctx, a, e);
    http_free(w->h);
    w->h = NULL;
}

static void the_pool_is_freed_in_done(void **state)
{
    struct world *w = *state;
    start(w, "/mute", (struct http_call){0}, &collecting);
    start(w, "/ok", (struct http_call){0}, &(struct http_events){.done = done_frees_pool});
    loop_run(w->l);
    assert_int_equal(w->done, 1);
}

static void cancelled_before_it_went_out(void **state)
{
    struct world *w = *state;
    http_cancel(start(w, "/ok", (struct http_call){0}, &collecting));
    http_cancel(NULL);
    start(w, "/busy", (struct http_call){0}, &collecting);
    loop_run(w->l);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->status, 429);
}

static void a_query_value_is_escaped(void **state)
{
    AUTO_BUF b = BUF_INIT(100);
    (void)state;
    http_escape(&b, (struct str){"a/b c~\xc3\xa4&=\0", 11});
    assert_string_equal(b.p, "a%2Fb%20c~%C3%A4%26%3D%00");
}

int main(void)
{
    struct CMUnitTest table[COUNTOF(rows)];
    const struct CMUnitTest stories[] = {
        TEST(it_says_what_it_is_told),         TEST(a_post_without_body_says_so),
        TEST(connections_are_used_again),      TEST(nobody_listens),
        TEST(bad_calls_are_refused_at_once),   TEST(cancelled_in_its_own_data_callback),
        TEST(done_cancels_itself_and_another), TEST(the_pool_is_freed_in_a_data_callback),
        TEST(the_pool_is_freed_in_done),       TEST(cancelled_before_it_went_out),
        TEST(a_query_value_is_escaped),
    };
    unsetenv("http_proxy");
    for (size_t i = 0; i < COUNTOF(rows); i++)
        table[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check,
                                       .setup_func = setup_row,
                                       .teardown_func = teardown,
                                       .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("http.rows", table, NULL, NULL) +
           cmocka_run_group_tests_name("http", stories, NULL, NULL);
}

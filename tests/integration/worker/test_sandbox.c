/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a sandbox is asked for so that a retry gives the same one, each failure of the
 * service becomes its one error, and nobody's sandbox is left behind. Proof: against a
 * sandboxd, and against a server that answers line by line from a script. */
#include "fixture.h"

/* --- against a sandboxd ------------------------------------------------------------ */

static void on_call(void *ctx, const struct err *e)
{
    *(struct err *)ctx = *e;
    loop_stop(fx.loop);
}

static struct err kill_it(struct sandbox_service *s, const char *id)
{
    struct err e = ERR_INIT, start = ERR_INIT;

    assert_string_equal(err_name(sandbox_kill(s, id, on_call, &e, &start)), "OK");
    fx_run();
    return e;
}

static struct fx_got open_it(struct sandbox_service *s, const char *id)
{
    struct fx_got got = {0};
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_open(s, id, 60000, &fx_events, &got, NULL, &e)), "OK");
    fx_run();
    return got;
}

static void lives_and_dies(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got made = fx_create(s, "claude", "lives"), opened;
    struct err e = ERR_INIT, start = ERR_INIT;

    (void)state;
    assert_string_equal(made.e.msg, "");
    opened = open_it(s, sandbox_id(made.sb));
    assert_string_equal(opened.e.msg, "");
    assert_string_equal(sandbox_id(opened.sb), sandbox_id(made.sb));
    assert_string_equal(
        err_name(sandbox_set_ttl(s, sandbox_id(made.sb), 90000, on_call, &e, &start)), "OK");
    fx_run();
    assert_string_equal(err_name(e.code), "OK");
    assert_string_equal(err_name(kill_it(s, sandbox_id(made.sb)).code), "OK");
    assert_string_equal(err_name(kill_it(s, sandbox_id(made.sb)).code), "OK"); /* as good */
    sandbox_free(opened.sb);
    opened = open_it(s, sandbox_id(made.sb));
    assert_string_equal(err_name(opened.e.code), "GONE");
    sandbox_free(made.sb);
    sandbox_service_free(s);
}

static void the_same_attempt_gets_the_same_sandbox(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got one = fx_create(s, "claude", "same"), two = fx_create(s, "claude", "same");

    (void)state;
    assert_non_null(one.sb);
    assert_non_null(two.sb);
    assert_string_equal(sandbox_id(one.sb), sandbox_id(two.sb));
    (void)kill_it(s, sandbox_id(one.sb));
    sandbox_free(one.sb);
    sandbox_free(two.sb);
    sandbox_service_free(s);
}

static void an_unknown_template_is_not_found(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "no-such-template", "unknown");

    (void)state;
    assert_null(got.sb);
    assert_string_equal(err_name(got.e.code), "NOT_FOUND");
    sandbox_service_free(s);
}

static void a_bad_key_is_unauthorized(void **state)
{
    struct secret *key = NULL;
    struct err e;
    struct sandbox_service *s;
    struct fx_got got;

    (void)state;
    assert_string_equal(err_name(secret_new(STR("e2b_ffffffffffffffff"), &key, &e)), "OK");
    s = fx_service(NULL, key);
    got = fx_create(s, "claude", "bad-key");
    assert_string_equal(err_name(got.e.code), "UNAUTHORIZED");
    assert_null(strstr(got.e.msg, "ffffffff"));
    sandbox_service_free(s);
    secret_free(key);
}

static void bad_ids_are_refused(void **state)
{
    static const char *const ids[] = {"", "../x", "i 1", "I1", "-x", "a/b", "i1\r\nX: y"};
    struct sandbox_service *s = fx_service(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        struct err e;

        assert_string_equal(err_name(sandbox_open(s, ids[i], 1000, &fx_events, NULL, NULL, &e)),
                            "INVALID");
        assert_string_equal(err_name(sandbox_kill(s, ids[i], NULL, NULL, &e)), "INVALID");
    }
    sandbox_service_free(s);
}

/* --- against a script ----------------------------------------------------------------- */
enum { ANSWERS = 8, REQUESTS_ROOM = 65536 };

struct heard {
    volatile int n;
    volatile size_t len;
    char text[REQUESTS_ROOM]; /* the requests, one behind the other */
};

static void answer_one(int fd, const char *answer, struct heard *h)
{
    char text[16384] = "";
    size_t n = 0, want = 0;

    for (;;) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
        const char *end, *length;

        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "content-length: ");
        want = length ? strtoul(length + 16, NULL, 10) : 0;
        if (end && n >= (size_t)(end + 4 - text) + want)
            break;
    }
    memcpy(h->text + h->len, text, n);
    h->len += n;
    h->n++;
    (void)dprintf(fd, "HTTP/1.1 %s", answer);
    (void)close(fd);
}

static pid_t serve(int listener, const char *const *answers, struct heard *h)
{
    pid_t pid = fx_fork();

    if (pid != 0)
        return pid;
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0;;) {
        int fd = accept(listener, NULL, NULL);

        answer_one(fd, answers[i], h);
        i += answers[i + 1] != NULL; /* the last one for ever */
    }
}

#define BODY(status, body)                                                                         \
    status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define SANDBOX                                                                                    \
    "{\"sandboxID\":\"iabc\",\"templateID\":\"claude\",\"clientID\":\"x\",\"envdVersion\":\"0\","  \
    "\"envdAccessToken\":\"tok\"}"
#define MADE    BODY("201 Created", SANDBOX)
#define HEALTHY BODY("204 No Content", "")
#define KILLED  BODY("204 No Content", "")

static struct script {
    const char *name;
    const char *answers[ANSWERS];
    const char *code; /* what became of the create; OK: a sandbox */
    int64_t retry_ms;
    const char *asked; /* the request lines, in order */
} scripts[] = {
    {"made", {MADE, HEALTHY}, "OK", 0, "POST /v2/sandboxes|GET /health|"},
    {"v1 where v2 is missing (404)",
     {BODY("404 Not Found", "404 page not found"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /health|"},
    {"v1 where v2 is missing (405)",
     {BODY("405 Method Not Allowed", ""), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /sandboxes|GET /health|"},
    {"a missing template is no missing route",
     {BODY("404 Not Found", "{\"code\":404,\"message\":\"template 'claude' not found\"}")},
     "NOT_FOUND",
     0,
     "POST /v2/sandboxes|"},
    {"a failure is asked again",
     {BODY("503 Service Unavailable", "{}"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|"},
    {"no JSON is asked again",
     {BODY("201 Created", "not json!"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|"},
    {"no sandbox in it is asked again",
     {BODY("201 Created", "{\"sandboxID\":\"../x\"}"), MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|"},
    {"the plan's cap is told at once",
     {BODY("429 Too Many", "{\"code\":429,\"message\":\"the maximum number of concurrent E2B\"}")},
     "CAPACITY",
     0,
     "POST /v2/sandboxes|"},
    {"a rate limit is told at once, with its wait",
     {"429 Too Many\r\nRetry-After: 7\r\nConnection: close\r\n\r\n"},
     "THROTTLED",
     7000,
     "POST /v2/sandboxes|"},
    {"a redirect is not followed",
     {"302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n", MADE, HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|POST /v2/sandboxes|GET /health|"},
    {"the daemon takes its time",
     {MADE, BODY("502 Bad Gateway", "{\"message\":\"port is not open\"}"), HEALTHY},
     "OK",
     0,
     "POST /v2/sandboxes|GET /health|GET /health|"},
    {"a conflict for ever is told some day",
     {BODY("409 Conflict", "{\"code\":409,\"message\":\"in transition\"}")},
     "UNAVAILABLE",
     1000,
     "POST /v2/sandboxes|POST /v2/sandboxes|POST /v2/sandboxes|POST /v2/sandboxes|"},
    {"one that dies at birth is killed",
     {MADE, BODY("502 Bad Gateway", "{\"message\":\"The sandbox was not found\"}"), KILLED},
     "UNAVAILABLE",
     0,
     "POST /v2/sandboxes|GET /health|DELETE /sandboxes/iabc|"},
};

static void request_lines(const struct heard *h, struct buf *out)
{
    const char *p = h->text;

    while ((p = strstr(p, " HTTP/1.1\r\n"))) {
        const char *line = p;

        while (line > h->text && line[-1] != '\n' && line[-1] != '}')
            line--;
        buf_add(out, line, (size_t)(p - line));
        buf_addc(out, '|');
        p++;
    }
}

static void wait_for_requests(const struct heard *h, const char *asked)
{
    int n = 0;

    for (const char *p = asked; *p; p++)
        n += *p == '|';
    for (int i = 0; i < 500 && h->n < n; i++) {
        struct timer *t = timer_new(fx.loop, (loop_fn)(void (*)(void))loop_stop, fx.loop);

        timer_start(t, 10);
        loop_run(fx.loop);
        timer_free(t);
    }
    assert_int_equal(h->n, n);
}

static void follows_the_script(void **state)
{
    const struct script *row = *state;
    struct heard *h =
        mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int port, fd = fx_listen(&port);
    char url[64], saved[64];
    struct sandbox_service *s;
    struct fx_got got;
    AUTO_BUF lines = BUF_INIT(4096);
    pid_t pid = serve(fd, row->answers, h);

    (void)close(fd);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    memcpy(saved, fx.url, sizeof(saved));
    memcpy(fx.url, url, sizeof(url));
    s = fx_service(NULL, NULL);
    got = fx_create(s, "claude", "run");
    assert_string_equal(err_name(got.e.code), row->code);
    assert_int_equal(got.e.retry_ms, row->retry_ms);
    wait_for_requests(h, row->asked);
    request_lines(h, &lines);
    assert_string_equal(lines.p, row->asked);
    assert_non_null(strstr(h->text, "Idempotency-Key: run-1\r\n"));
    assert_non_null(strstr(h->text, "\"metadata\":{\"fleet\":\"test\",\"run\":\"run\""));
    sandbox_free(got.sb);
    sandbox_service_free(s);
    memcpy(fx.url, saved, sizeof(saved));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)munmap(h, sizeof(*h));
}

/* A scripted service in the place of the real one. */
struct stage {
    struct heard *heard;
    struct sandbox_service *service;
    char saved[64];
    pid_t pid;
};

static struct stage stage_up(const char *const *answers)
{
    struct stage st = {.heard = mmap(NULL, sizeof(struct heard), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    int port, fd = fx_listen(&port);

    st.pid = serve(fd, answers, st.heard);
    (void)close(fd);
    memcpy(st.saved, fx.url, sizeof(st.saved));
    (void)snprintf(fx.url, sizeof(fx.url), "http://127.0.0.1:%d", port);
    st.service = fx_service(NULL, NULL);
    return st;
}

static void stage_down(struct stage *st)
{
    sandbox_service_free(st->service);
    memcpy(fx.url, st->saved, sizeof(st->saved));
    (void)kill(st->pid, SIGKILL);
    (void)waitpid(st->pid, NULL, 0);
    (void)munmap(st->heard, sizeof(*st->heard));
}

static void a_kill_that_is_put_off_for_ever_is_told(void **state)
{
    static const char *const answers[] = {BODY("409 Conflict", "{}"), NULL};
    struct stage st = stage_up(answers);

    (void)state;
    assert_string_equal(err_name(kill_it(st.service, "iabc").code), "UNAVAILABLE");
    assert_int_equal(st.heard->n, 4);
    stage_down(&st);
}

static void add_piece(void *ctx, struct str piece)
{
    buf_addstr(ctx, piece);
}

static void on_file(void *ctx, const struct envd_answer *a, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    assert_true(a->at_end);
    loop_stop(fx.loop);
}

/* HTTP lets a server answer a ranged read with the whole file. */
static void a_whole_file_for_a_range_is_cut(void **state)
{
    static const char *const answers[] = {MADE, HEALTHY,
                                          "200 OK\r\nConnection: close\r\n\r\n0123456789", NULL};
    struct stage st = stage_up(answers);
    struct fx_got got = fx_create(st.service, "claude", "run");
    struct buf file = BUF_INIT(64);
    struct envd_call *call;
    struct err e;

    (void)state;
    assert_non_null(got.sb);
    assert_string_equal(
        err_name(envd_get(sandbox_envd(got.sb), "~/f", 4, add_piece, on_file, &file, &call, &e)),
        "OK");
    fx_run();
    assert_true(str_is(buf_str(&file), "456789"));
    buf_release(&file);
    sandbox_free(got.sb);
    stage_down(&st);
}

/* Cancelled while the service makes it: no word to the caller, and it is killed. */
static void a_cancelled_create_kills_what_was_made(void **state)
{
    static const char *const answers[] = {MADE, KILLED, NULL};
    const struct sandbox_want want = {
        .template = "claude", .ttl_ms = 1000, .run_id = "run", .attempt = 1, .tenant = "t"};
    struct heard *h =
        mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int port, fd = fx_listen(&port);
    char url[64], saved[64];
    struct sandbox_service *s;
    struct sandbox_op *op = NULL;
    struct fx_got got = {0};
    struct err e;
    pid_t pid = serve(fd, answers, h);

    (void)state;
    (void)close(fd);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    memcpy(saved, fx.url, sizeof(saved));
    memcpy(fx.url, url, sizeof(url));
    s = fx_service(NULL, NULL);
    assert_string_equal(err_name(sandbox_create(s, &want, &fx_events, &got, &op, &e)), "OK");
    while (h->n == 0 && !got.called) { /* one turn of the loop at a time, until it was asked */
        struct timer *t = timer_new(fx.loop, (loop_fn)(void (*)(void))loop_stop, fx.loop);

        timer_start(t, 0);
        loop_run(fx.loop);
        timer_free(t);
    }
    sandbox_op_cancel(op);
    wait_for_requests(h, "POST|DELETE|");
    assert_non_null(strstr(h->text, "DELETE /sandboxes/iabc "));
    assert_false(got.called);
    sandbox_service_free(s);
    memcpy(fx.url, saved, sizeof(saved));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)munmap(h, sizeof(*h));
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(lives_and_dies),
        cmocka_unit_test(the_same_attempt_gets_the_same_sandbox),
        cmocka_unit_test(an_unknown_template_is_not_found),
        cmocka_unit_test(a_bad_key_is_unauthorized),
        cmocka_unit_test(bad_ids_are_refused),
        cmocka_unit_test(a_cancelled_create_kills_what_was_made),
        cmocka_unit_test(a_kill_that_is_put_off_for_ever_is_told),
        cmocka_unit_test(a_whole_file_for_a_range_is_cut),
    };
    struct CMUnitTest tests[COUNTOF(fixed) + COUNTOF(scripts)];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < COUNTOF(scripts); i++)
        tests[COUNTOF(fixed) + i] = (struct CMUnitTest){
            .name = scripts[i].name, .test_func = follows_the_script, .initial_state = &scripts[i]};
    return cmocka_run_group_tests_name("sandbox", tests, fx_up, fx_down);
}

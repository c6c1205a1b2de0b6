/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what goes into a store piece by piece is whole under its key or not there at all, in a
 * directory as in S3; and S3 takes nothing that is not signed with the right key. Proof: both kinds
 * with the same stories; a stand-in for S3 that works each signature out anew. */
#include "s3.h"

enum { PIECE = 50000 };

static struct s3 s3;

struct putting {
    struct store_call *call;
    const char *bytes;
    size_t n, at, later_at, stop_at; /* 0: never */
    struct timer *timer;
    bool done;
    struct err e;
    struct buf got;
};

static void on_wake(void *ctx)
{
    store_go_on(((struct putting *)ctx)->call);
}

static ssize_t on_more(void *ctx, char *p, size_t room)
{
    struct putting *u = ctx;
    size_t n = u->n - u->at < PIECE ? u->n - u->at : PIECE;

    if (u->stop_at > 0 && u->at >= u->stop_at)
        return HTTP_STOP;
    if (u->later_at > 0 && u->at >= u->later_at) {
        u->later_at = 0;
        timer_start(u->timer, 30);
        return HTTP_LATER;
    }
    n = n < room ? n : room;
    memcpy(p, u->bytes + u->at, n);
    u->at += n;
    return (ssize_t)n;
}

static void on_answer(void *ctx, struct buf *bytes, const struct err *e)
{
    struct putting *u = ctx;

    assert_false(u->done);
    u->done = true;
    u->e = *e;
    u->got = *bytes;
    *bytes = BUF_INIT(0);
    loop_stop(fx.loop);
}

static void put(struct store *s, struct putting *u, const char *key, int64_t size)
{
    struct err e = ERR_INIT;

    u->timer = timer_new(fx.loop, on_wake, u);
    if (store_put_from(s, key, size, on_more, on_answer, u, &u->call, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    fx_run();
    timer_free(u->timer);
}

static void assert_holds(struct store *s, const char *key, struct str want)
{
    struct putting u = {0};
    struct err e = ERR_INIT;

    assert_int_equal(store_get(s, key, 8 << 20, on_answer, &u, &u.call, &e), ERR_OK);
    fx_run();
    if (u.e.code != ERR_OK)
        fail_msg("%s", u.e.msg);
    assert_true(str_eq(buf_str(&u.got), want));
    buf_release(&u.got);
}

static void assert_lacks(struct store *s, const char *key)
{
    struct putting u = {0};
    struct err e = ERR_INIT;

    assert_int_equal(store_get(s, key, 1024, on_answer, &u, &u.call, &e), ERR_OK);
    fx_run();
    assert_string_equal(err_name(u.e.code), "NOT_FOUND");
}

static struct store *dir_store(void)
{
    struct store *s = NULL;
    struct err e;
    char path[80];

    (void)snprintf(path, sizeof(path), "%s/store", fx.dir);
    assert_int_equal(store_new(fx.loop, path, &s, &e), ERR_OK);
    return s;
}

static void stories(struct store *s)
{
    static char bytes[3 << 20];
    struct putting whole = {.bytes = bytes, .n = sizeof(bytes), .later_at = 1 << 20};
    struct putting stopped = {.bytes = bytes, .n = sizeof(bytes), .stop_at = 2 << 20};
    struct putting small = {.bytes = "small", .n = 5}, empty = {.bytes = "", .n = 0};
    struct putting shorter = {.bytes = "short", .n = 5};

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    put(s, &whole, "acme/run=1/1/a.tar.gz", sizeof(bytes));
    if (whole.e.code != ERR_OK)
        fail_msg("%s", whole.e.msg);
    assert_holds(s, "acme/run=1/1/a.tar.gz", (struct str){bytes, sizeof(bytes)});
    put(s, &stopped, "acme/run=1/1/b", sizeof(bytes));
    assert_string_equal(err_name(stopped.e.code), "CANCELLED");
    assert_lacks(s, "acme/run=1/1/b");
    put(s, &shorter, "acme/run=1/1/b", 6);
    assert_string_equal(err_name(shorter.e.code), "CONFLICT");
    assert_lacks(s, "acme/run=1/1/b");
    stopped = (struct putting){.bytes = bytes, .n = sizeof(bytes), .stop_at = 1};
    put(s, &stopped, "acme/run=1/1/a.tar.gz", sizeof(bytes)); /* what was there stays */
    assert_holds(s, "acme/run=1/1/a.tar.gz", (struct str){bytes, sizeof(bytes)});
    put(s, &small, "acme/run=1/1/a.tar.gz", 5);
    assert_holds(s, "acme/run=1/1/a.tar.gz", STR("small"));
    put(s, &empty, "empty", 0);
    assert_holds(s, "empty", STR(""));
}

static void assert_location(const struct store *s, const char *want)
{
    AUTO_BUF where = BUF_INIT(512);

    store_location(s, "a/b", &where);
    assert_string_equal(where.p, want);
}

static void in_a_directory(void **state)
{
    struct store *s = dir_store();
    char path[160];
    struct stat st;

    (void)state;
    stories(s);
    (void)snprintf(path, sizeof(path), "%s/store/acme/run=1", fx.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    (void)snprintf(path, sizeof(path), "%s/store/acme/run=1/1/a.tar.gz", fx.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    (void)snprintf(path, sizeof(path), "[ -z \"$(ls -A '%s/store/tmp')\" ]", fx.dir);
    assert_int_equal(system(path), 0); /* nothing is left of what was given up */
    (void)snprintf(path, sizeof(path), "file://%s/store/a/b", fx.dir);
    assert_location(s, path);
    store_free(s);
}

static void in_s3(void **state)
{
    struct store *s = s3_store(&s3, "s3cr3t/with+slash", "eu-central-1", NULL);

    (void)state;
    stories(s);
    assert_location(s, "s3://bucket/some/prefix/a/b");
    store_free(s);
}

static void refused(struct store *s)
{
    struct putting u = {.bytes = "x", .n = 1};

    put(s, &u, "k", 1);
    assert_string_equal(err_name(u.e.code), "UNAUTHORIZED");
    assert_non_null(strstr(u.e.msg, "look at the keys"));
    assert_null(strstr(u.e.msg, "s3cr3t"));
    store_free(s);
}

static void another_key_is_refused(void **state)
{
    struct s3 strict = s3_up("session-token-0123");
    struct store *s = s3_store(&strict, "s3cr3t/with+slash", "eu-central-1", "session-token-0123");
    struct putting u = {.bytes = "x", .n = 1};

    (void)state;
    refused(s3_store(&s3, "s3cr3t/with+slasH", "eu-central-1", NULL));
    refused(s3_store(&s3, "s3cr3t/with+slash", "us-east-1", NULL));
    refused(s3_store(&strict, "s3cr3t/with+slash", "eu-central-1", NULL));
    put(s, &u, "k", 1);
    assert_string_equal(u.e.msg, "");
    store_free(s);
    s3_down(&strict);
}

/* Whoever waits goes: nothing is asked of him any more, and nothing is stored. */
static void who_goes_leaves_nothing(void **state)
{
    struct store *kinds[] = {dir_store(), s3_store(&s3, "s3cr3t/with+slash", "eu-central-1", NULL)};

    (void)state;
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        struct putting u = {.bytes = "half", .n = 4, .later_at = 4};
        struct err e = ERR_INIT;

        u.timer = timer_new(fx.loop, on_wake, &u);
        assert_int_equal(store_put_from(kinds[i], "gone", 8, on_more, on_answer, &u, &u.call, &e),
                         ERR_OK);
        while (u.later_at > 0) { /* until it waits for more */
            struct timer *t = timer_new(fx.loop, (loop_fn)(void (*)(void))loop_stop, fx.loop);

            timer_start(t, 5);
            fx_run();
            timer_free(t);
        }
        timer_free(u.timer);
        store_cancel(u.call);
        u = (struct putting){.n = 1, .stop_at = 0}; /* a call would find no bytes */
        assert_lacks(kinds[i], "gone");
        assert_false(u.done);
        store_free(kinds[i]);
    }
}

static const struct {
    const char *where, *region, *why;
} wrong[] = {
    {"s3://", "eu-central-1", "is not s3://bucket"},
    {"s3://Bucket", "eu-central-1", "is not s3://bucket"},
    {"s3://bucket/a//b", "eu-central-1", "is not s3://bucket"},
    {"s3://bucket/../b", "eu-central-1", "is not s3://bucket"},
    {"s3://bucket", "", "is no region"},
    {"s3://bucket", "eu:central", "is no region"},
    {"s3://bucket", NULL, "is no region"},
};

static void a_wrong_setting_is_said(void **state)
{
    struct secret *key = NULL;
    struct store *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(secret_new(STR("0123456789"), &key, &e), ERR_OK);
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        const struct store_s3_opts opts = {
            .where = wrong[i].where, .region = wrong[i].region, .key_id = key, .key = key};

        assert_string_equal(err_name(store_s3_new(fx.loop, &opts, &s, &e)), "CONFIG");
        if (!strstr(e.msg, wrong[i].why))
            fail_msg("%s", e.msg);
    }
    const struct store_s3_opts no_key = {.where = "s3://bucket", .region = "eu-central-1"};
    assert_string_equal(err_name(store_s3_new(fx.loop, &no_key, &s, &e)), "CONFIG");
    secret_free(key);
}

static int up(void **state)
{
    if (fx_up(state) != 0)
        return -1;
    s3 = s3_up(NULL);
    return 0;
}

static int down(void **state)
{
    s3_down(&s3);
    return fx_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_directory),          cmocka_unit_test(in_s3),
        cmocka_unit_test(another_key_is_refused),  cmocka_unit_test(who_goes_leaves_nothing),
        cmocka_unit_test(a_wrong_setting_is_said),
    };

    return cmocka_run_group_tests_name("store_stream", tests, up, down);
}

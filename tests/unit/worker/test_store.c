/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what is stored under a key comes back byte by byte, is replaced as a whole, is
 * closed to others, and no key leads out of the store.
 * Proof: a table of keys; a directory of its own a test, looked at from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/store/store.h"

/* --- keys -------------------------------------------------------------------- */

static const struct key_row {
    const char *key;
    bool ok;
} key_rows[] = {
    {"a", true},           {"transcripts/acme/0f-2.3=x", true},
    {"a/b/c.jsonl", true}, {"", false},
    {"/a", false},         {"a/", false},
    {"a//b", false},       {"..", false},
    {"a/../b", false},     {".hidden", false},
    {"a/.b", false},       {"a b", false},
    {"a\\b", false},       {"\xc3\xa4", false},
};

static void keys_stay_inside(void **state)
{
    char longest[STORE_KEY_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNTOF(key_rows); i++)
        if (store_key_ok(key_rows[i].key) != key_rows[i].ok)
            fail_msg("'%s'", key_rows[i].key);
    memset(longest, 'k', sizeof(longest));
    longest[STORE_KEY_MAX + 1] = '\0';
    assert_false(store_key_ok(longest));
    longest[STORE_KEY_MAX] = '\0';
    assert_true(store_key_ok(longest));
}

/* --- a directory ------------------------------------------------------------- */

struct world {
    char root[64], store[80];
    struct loop *loop;
    struct store *s;
    struct store_call *call;
    int answers;
    struct err err;
    struct buf got;
};

static int setup(void **state)
{
    static struct world w;

    w = (struct world){.root = "/tmp/sandfleet-store-XXXXXX"};
    assert_non_null(mkdtemp(w.root));
    snprintf(w.store, sizeof(w.store), "%s/store", w.root);
    assert_int_equal(loop_new(&w.loop, NULL), ERR_OK);
    assert_int_equal(store_new(w.loop, w.store, &w.s, &w.err), ERR_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    store_free(w->s);
    loop_free(w->loop);
    buf_release(&w->got);
    snprintf(command, sizeof(command), "rm -rf %s", w->root);
    return system(command);
}

static void on_answer(void *ctx, struct buf *bytes, const struct err *e)
{
    struct world *w = ctx;

    w->answers++;
    w->err = *e;
    buf_release(&w->got);
    w->got = *bytes;
    *bytes = BUF_INIT(0);
}

static struct buf bytes_of(const char *p, size_t n)
{
    struct buf b = BUF_INIT(1 << 20);

    buf_add(&b, p, n);
    return b;
}

static const char *put(struct world *w, const char *key, struct buf b)
{
    assert_int_equal(store_put(w->s, key, &b, on_answer, w, &w->call, &w->err), ERR_OK);
    assert_null(b.p);
    loop_run(w->loop);
    return err_name(w->err.code);
}

static const char *get(struct world *w, const char *key, size_t max)
{
    assert_int_equal(store_get(w->s, key, max, on_answer, w, &w->call, &w->err), ERR_OK);
    loop_run(w->loop);
    return err_name(w->err.code);
}

static int files_in(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void bytes_come_back_and_are_replaced(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    struct stat st;

    assert_string_equal(put(w, "t/acme/one", bytes_of("a\0b", 3)), "OK");
    assert_string_equal(put(w, "t/acme/one", bytes_of("second", 6)), "OK");
    assert_string_equal(get(w, "t/acme/one", 6), "OK");
    assert_int_equal(w->got.len, 6);
    assert_memory_equal(w->got.p, "second", 6);
    snprintf(path, sizeof(path), "%s/t/acme/one", w->store);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s/t", w->store);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/tmp", w->store);
    assert_int_equal(files_in(path), 0);
}

static void a_large_one_comes_back(void **state)
{
    struct world *w = *state;
    struct buf b = BUF_INIT(1 << 20);

    for (int i = 0; i < 300000; i++)
        buf_addc(&b, (char)(i % 251));
    assert_string_equal(put(w, "big", b), "OK");
    assert_string_equal(get(w, "big", 299999), "TOO_BIG");
    assert_int_equal(w->got.len, 0);
    assert_string_equal(get(w, "big", 300000), "OK");
    assert_int_equal(w->got.len, 300000);
    for (int i = 0; i < 300000; i++)
        assert_int_equal((unsigned char)w->got.p[i], i % 251);
}

static void what_is_not_there_is_said_so(void **state)
{
    struct world *w = *state;
    struct buf b = bytes_of("x", 1);

    assert_string_equal(get(w, "none/of/it", 10), "NOT_FOUND");
    assert_int_equal(store_put(w->s, "../out", &b, on_answer, w, &w->call, &w->err), ERR_INVALID);
    assert_int_equal(b.len, 1); /* it stays ours */
    buf_release(&b);
}

static void what_is_removed_is_gone_and_may_be_again(void **state)
{
    struct world *w = *state;

    assert_string_equal(put(w, "t/one", bytes_of("x", 1)), "OK");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_remove(w->s, "t/one", on_answer, w, &w->call, &w->err), ERR_OK);
        loop_run(w->loop);
        assert_string_equal(err_name(w->err.code), "OK");
        assert_string_equal(get(w, "t/one", 10), "NOT_FOUND");
    }
}

static void a_cancelled_call_is_not_told(void **state)
{
    struct world *w = *state;
    struct buf b = bytes_of("x", 1);

    assert_int_equal(store_put(w->s, "one", &b, on_answer, w, &w->call, &w->err), ERR_OK);
    store_cancel(w->call);
    store_free(w->s);
    loop_run(w->loop);
    assert_int_equal(w->answers, 0);
    assert_int_equal(store_new(w->loop, w->store, &w->s, &w->err), ERR_OK);
    assert_string_equal(get(w, "one", 10), "OK");
}

static void a_link_is_not_followed(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/link", w->store);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_string_not_equal(get(w, "link", 1 << 20), "OK");
    assert_string_equal(put(w, "link", bytes_of("mine", 4)), "OK");
    assert_string_equal(get(w, "link", 1 << 20), "OK");
    assert_int_equal(w->got.len, 4);
}

static void a_place_that_is_no_directory_is_refused(void **state)
{
    struct world *w = *state;
    struct store *s = NULL;

    assert_int_equal(store_new(w->loop, "/dev/null", &s, &w->err), ERR_CONFIG);
    assert_int_equal(store_new(w->loop, "/nowhere/to/be/found", &s, &w->err), ERR_CONFIG);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_stay_inside),
        cmocka_unit_test_setup_teardown(bytes_come_back_and_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_one_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_said_so, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_removed_is_gone_and_may_be_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_call_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_that_is_no_directory_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

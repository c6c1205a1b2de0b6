/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a secret that others could read is refused; one from the environment is gone
 * from it. Proof: files of every wrong kind; the variable's own memory. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secret/secret.h"
#include "tests/lib/table.h"

static struct file {
    const char *name;
    struct str text;
    mode_t mode;
    const char *value; /* NULL: refused */
    const char *code;
} files[] = {
    {"a plain one", {"sk-1234", 7}, 0600, "sk-1234", "OK"},
    {"a newline is dropped", {"sk-1234\n", 8}, 0400, "sk-1234", "OK"},
    {"one newline only", {"sk-1234\n\n", 9}, 0600, NULL, "INVALID"},
    {"spaces stay", {" a b ", 5}, 0600, " a b ", "OK"},
    {"empty", {"", 0}, 0600, NULL, "INVALID"},
    {"only a newline", {"\n", 1}, 0600, NULL, "INVALID"},
    {"a NUL inside", {"a\0b", 3}, 0600, NULL, "INVALID"},
    {"the group can read it", {"sk-1234", 7}, 0640, NULL, "CONFIG"},
    {"others can read it", {"sk-1234", 7}, 0604, NULL, "CONFIG"},
};

static void check_file(void **state)
{
    const struct file *r = *state;
    char path[] = "/tmp/sandfleet-secret-XXXXXX";
    struct secret *s = NULL;
    struct err err = ERR_INIT;
    int fd = mkstemp(path);

    assert_true(fd >= 0 && write(fd, r->text.p, r->text.n) == (ssize_t)r->text.n);
    assert_int_equal(fchmod(fd, r->mode), 0);
    assert_string_equal(err_name(secret_from_file(path, &s, &err)), r->code);
    if (r->value)
        assert_true(str_is(secret_value(s), r->value));
    else
        assert_non_null(strstr(err.msg, path));
    secret_free(s);
    (void)close(fd);
    (void)unlink(path);
}

static void what_is_no_file_is_refused(void **state)
{
    char folder[] = "/tmp/sandfleet-secret-XXXXXX", fifo[64] = "";
    struct secret *s = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(secret_from_file("/nonexistent", &s, &err), ERR_NOT_FOUND);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(secret_from_file(folder, &s, &err), ERR_CONFIG);
    (void)memcpy(fifo, folder, sizeof folder - 1);
    (void)memcpy(fifo + sizeof folder - 1, "/f", 3);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(secret_from_file(fifo, &s, &err), ERR_CONFIG); /* and does not block */
    (void)unlink(fifo);
    (void)rmdir(folder);
    assert_null(s);
}

static void sizes_have_a_ceiling(void **state)
{
    static char text[SECRET_MAX_BYTES + 1];
    struct secret *s = NULL;
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(secret_new((struct str){text, sizeof text}, &s, &err), ERR_TOO_BIG);
    assert_int_equal(secret_new((struct str){text, sizeof text - 1}, &s, &err), ERR_OK);
    assert_int_equal(secret_value(s).n, SECRET_MAX_BYTES);
    secret_free(s);
    for (size_t n = 1; n < 20; n++) { /* each length has its own place before the guard page */
        assert_int_equal(secret_new((struct str){text, n}, &s, &err), ERR_OK);
        assert_int_equal(secret_value(s).n, n);
        secret_free(s);
    }
    secret_free(NULL);
    assert_int_equal(secret_value(NULL).n, 0);
}

static void a_variable_is_wiped(void **state)
{
    static char variable[] = "SANDFLEET_TEST_SECRET=hush-hush";
    struct secret *s = NULL;

    (void)state;
    assert_int_equal(putenv(variable), 0); /* the environment is this very memory */
    assert_int_equal(secret_from_env("SANDFLEET_TEST_SECRET", &s, NULL), ERR_OK);
    assert_true(str_is(secret_value(s), "hush-hush"));
    assert_null(getenv("SANDFLEET_TEST_SECRET"));
    assert_memory_equal(variable + 22, "\0\0\0\0\0\0\0\0\0", 9);
    secret_free(s);
    assert_int_equal(secret_from_env("SANDFLEET_TEST_SECRET", &s, NULL), ERR_OK);
    assert_null(s);
    (void)setenv("SANDFLEET_TEST_SECRET", "", 1);
    assert_int_equal(secret_from_env("SANDFLEET_TEST_SECRET", &s, NULL), ERR_OK);
    assert_null(s);
    (void)setenv("SANDFLEET_TEST_SECRET", "two\nlines", 1);
    assert_int_equal(secret_from_env("SANDFLEET_TEST_SECRET", &s, NULL), ERR_INVALID);
    assert_null(getenv("SANDFLEET_TEST_SECRET"));
}

static void a_process_leaves_no_core(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_int_equal(secret_init(NULL), ERR_OK);
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
#ifdef __SANITIZE_ADDRESS__
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1); /* the leak checker must see it */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(sizes_have_a_ceiling),
        cmocka_unit_test(a_variable_is_wiped),
        cmocka_unit_test(a_process_leaves_no_core),
    };

    return TABLE_RUN("secret files", files, check_file) +
           cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}

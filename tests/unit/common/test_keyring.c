/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: master keys come from a file, a command or systemd, each form as it is told; what is no
 * key is refused with its line and without its text; they lie in memory that is never swapped out.
 * Proof: a table of files; commands that fail in each way; a folder as systemd makes one; a process
 * that may lock nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/secret/keyring.h"
#include "tests/lib/table.h"

#include "common/banned.h"

#define A    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B    "FF0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define A_ID "c362e0878438069b"

static struct text {
    const char *name, *text;
    size_t keys;     /* 0: refused */
    const char *why; /* in the message */
} texts[] = {
    {"one", A, 1, NULL},
    {"with a newline", A "\n", 1, NULL},
    {"comments and blank lines", "# the key of 2026\n\n  " A " \n\t\n#" B "\n", 1, NULL},
    {"two, in either case", A "\n" B "\n", 2, NULL},
    {"carriage returns", A "\r\n" B "\r\n", 2, NULL},
    {"nothing", "", 0, "no master key"},
    {"only a comment", "# none\n", 0, "no master key"},
    {"too short", A "\nabcdef\n", 0, "line 2: want a master key of 64 hex digits"},
    {"too long", A "00\n", 0, "line 1: want"},
    {"an odd digit", "0" A, 0, "line 1: want"},
    {"not hex", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0, "line 1"},
    {"two on a line", A " " B, 0, "line 1: want"},
    {"the same twice", A "\n" A, 0, "line 2: this master key is there already"},
};

static void check_text(void **state)
{
    const struct text *r = *state;
    struct keyring *k = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = keyring_parse(str_of(r->text), &k, &err);

    assert_string_equal(err_name(rc), r->keys > 0 ? "OK" : "CONFIG");
    assert_int_equal(keyring_size(k), r->keys);
    if (r->why) {
        assert_non_null(strstr(err.msg, r->why));
        assert_null(strstr(err.msg, "0102"));
    } else {
        assert_string_equal(keyring_id(k, 0), A_ID);
        assert_int_equal(keyring_key(k, A_ID)[31], 0x1f);
        assert_null(keyring_key(k, "0000000000000000"));
    }
    keyring_free(k);
}

static void there_are_not_too_many(void **state)
{
    char text[(KEYRING_MAX + 1) * 65 + 1];
    struct keyring *k = NULL;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i <= KEYRING_MAX; i++)
        snprintf(text + i * 65, 66, "%064x\n", (unsigned)i);
    assert_int_equal(keyring_parse(str_of(text), &k, &err), ERR_CONFIG);
    assert_non_null(strstr(err.msg, "line 17: more than 16"));
    text[KEYRING_MAX * 65] = '\0';
    assert_int_equal(keyring_parse(str_of(text), &k, &err), ERR_OK);
    assert_int_equal(keyring_size(k), KEYRING_MAX);
    keyring_free(k);
}

/* --- sources ------------------------------------------------------------------- */

static char folder[64];

static const char *put(const char *name, const char *text, mode_t mode)
{
    static char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    return path;
}

static const char *from(const char *file, const char *command, struct err *err)
{
    struct keyring_source source = {.file = file, .command = command};
    struct keyring *k = NULL;

    *err = ERR_INIT;
    enum err_code rc = keyring_open(&source, &k, err);
    bool any = k != NULL;
    keyring_free(k);
    return rc == ERR_OK && !any ? "none" : err_name(rc);
}

static struct source {
    const char *name, *file, *command; /* file: its text */
    mode_t mode;
    const char *code, *why;
} sources[] = {
    {"a file", A, NULL, 0600, "OK", NULL},
    {"a file that others may read", A, NULL, 0644, "CONFIG", "its mode is 0644"},
    {"a file that the group may read", A, NULL, 0640, "CONFIG", "its mode is 0640"},
    {"an empty file", "", NULL, 0600, "CONFIG", "no master key"},
    {"a command", NULL, "echo " A, 0, "OK", NULL},
    {"a pipeline", NULL, "printf '%s\n' nothing " A " | tail -n 1", 0, "OK", NULL},
    {"a command without output", NULL, "true", 0, "CONFIG", "no master key"},
    {"one that fails", NULL, "echo " A "; exit 3", 0, "CONFIG", "exit status 3"},
    {"one that is killed", NULL, "kill -9 $$", 0, "CONFIG", "signal 9"},
    {"one that is not there", NULL, "/nonexistent/key", 0, "CONFIG", "exit status 127"},
    {"one that never stops", NULL, "yes", 0, "TOO_BIG", "16383 bytes"},
    {"one that reads", NULL, "cat; echo " A, 0, "OK", NULL}, /* and gets nothing */
    {"both", A, "echo " A, 0600, "CONFIG", "give one"},
    {"neither", NULL, NULL, 0, "none", NULL},
};

static void check_source(void **state)
{
    const struct source *r = *state;
    const char *path = r->file ? put("keys", r->file, r->mode) : NULL;
    struct err err;

    assert_string_equal(from(path, r->command, &err), r->code);
    if (r->why && !strstr(err.msg, r->why))
        fail_msg("'%s' does not tell '%s'", err.msg, r->why);
}

static void systemd_s_is_found(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    char name[] = KEYRING_CREDENTIAL;
    put(name, A, 0440); /* an access list lets the service's user in */
    assert_string_equal(from(NULL, NULL, &err), "OK");
    put(name, A, 0444);
    assert_string_equal(from(NULL, NULL, &err), "CONFIG");
    put(name, "", 0400);
    assert_string_equal(from(NULL, NULL, &err), "none");
    assert_int_equal(unlink(put(name, A, 0400)), 0);
    assert_string_equal(from(NULL, NULL, &err), "none");
    assert_string_equal(from(NULL, "echo " A, &err), "OK");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* --- memory -------------------------------------------------------------------- */

/* In a child, as a user without privileges. */
static int parse_unlocked(void)
{
    struct keyring *k = NULL;
    struct err err = ERR_INIT;

    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0}) != 0 ||
        (geteuid() == 0 && setuid(65534) != 0))
        return 2;
    return keyring_parse(STR(A), &k, &err) == ERR_CONFIG && strstr(err.msg, "LimitMEMLOCK") ? 0 : 1;
}

static void unlocked_memory_is_refused(void **state)
{
    int status = 0;

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* which answers for mlock */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    skip();
#endif
#endif
    pid_t pid = fork();
    if (pid == 0)
        _exit(parse_unlocked());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/sandfleet-keyring-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/keys", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_not_too_many),
        cmocka_unit_test(systemd_s_is_found),
        cmocka_unit_test(unlocked_memory_is_refused),
    };
    int failed = TABLE_RUN("keyring: text", texts, check_text);

    if (make_folder(NULL) != 0)
        return 1;
    failed += TABLE_RUN("keyring: sources", sources, check_source);
    failed += cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
    return failed + (drop_folder(NULL) != 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the job file that we write does, under a plain /bin/sh, what the capture relies
 * on: one start counts, words arrive byte for byte, the environment is clean, the token is
 * gone before the agent runs, and rc tells how it ended. The agent is a shell script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/capture/capture_internal.h"

enum { WAIT_MS = 30 * 1000 };

static char home[64];

static char *at(const char *name)
{
    static char path[8][256];
    static size_t next;
    char *p = path[next++ % COUNTOF(path)];

    (void)snprintf(p, sizeof(path[0]), "%s/.sandfleet/r/1/%s", home, name);
    return p;
}

static void put_file(const char *path, struct str bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
    assert_int_equal(close(fd), 0);
}

static void read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return;
    while ((n = read(fd, buf_room(out, 4096), 4096)) > 0)
        buf_grew(out, (size_t)n);
    (void)close(fd);
}

/* Runs a shell script with a home of its own; returns its exit status. */
static int shell(const char *script)
{
    char env_home[80], env_path[256];
    char *const env[] = {env_home, env_path, (char[]){"CANARY=leaked"}, NULL};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)snprintf(env_home, sizeof(env_home), "HOME=%s", home);
        (void)snprintf(env_path, sizeof(env_path), "PATH=%s/bin:/usr/bin:/bin", home);
        (void)!freopen("/dev/null", "w", stdout);
        (void)execle("/bin/sh", "sh", "-c", script, NULL, env);
        _exit(126);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static int setup(void **state)
{
    char bin[80];

    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/sandfleet-supervisor-XXXXXX");
    if (!mkdtemp(home))
        return -1;
    (void)snprintf(bin, sizeof(bin), "%s/bin", home);
    return mkdir(bin, 0755) == 0 && shell("mkdir -p \"$HOME/.sandfleet/r/1\"") == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return shell("rm -rf -- \"$HOME\"");
}

static void put_agent(const char *script)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/bin/claude", home);
    put_file(path, str_of(script), 0755);
}

static void put_job(const struct capture_spec *spec)
{
    AUTO_BUF job = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;

    assert_string_equal(err_name(capture_job_write(spec, &job, &e)), "OK");
    put_file(at("job"), buf_str(&job), 0644);
    put_file(at("prompt"), STR("the prompt\n"), 0644);
}

static int start(void)
{
    return shell("cd -- \"$HOME/.sandfleet/r/1\" && exec sh ./job start");
}

static void assert_file(const char *name, const char *want)
{
    AUTO_BUF text = BUF_INIT(1 << 20);

    read_file(at(name), &text);
    assert_string_equal(text.p ? text.p : "", want);
}

static bool exists(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static void wait_for_bytes(const char *name, off_t least)
{
    int64_t until = clock_boot_ms() + WAIT_MS;
    struct stat st;

    while (stat(at(name), &st) != 0 || st.st_size < least) {
        assert_true(clock_boot_ms() < until);
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void wait_for(const char *name)
{
    wait_for_bytes(name, 0);
}

static void words_arrive_byte_for_byte(void **state)
{
    static const char *const args[] = {"--x",
                                       "a b",
                                       "",
                                       "it's \"$HOME\" `id` $(id)",
                                       "two\nlines\n",
                                       "\\n \\c \\0101 \\\\",
                                       "#:job",
                                       "\xff\xfe",
                                       "-e",
                                       NULL};
    static const char *const env[] = {"PLAIN=1", "TWO=a\nb\\n", NULL};
    AUTO_BUF want = BUF_INIT(4096);

    (void)state;
    put_agent("#!/bin/sh\nfor a; do printf '[%s]' \"$a\"; done; printf '<%s>' \"$TWO\"; cat\n");
    put_job(&(struct capture_spec){.args = args, .env = env, .timeout_s = 60});
    assert_int_equal(start(), 0);
    wait_for("rc");
    buf_adds(&want, "[-p]");
    for (const char *const *a = args; *a; a++)
        buf_addf(&want, "[%s]", *a);
    buf_adds(&want, "<a\nb\\n>the prompt\n");
    assert_file("out.ndjson", want.p);
    assert_file("rc", "0\n");
}

static void the_environment_is_clean(void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 16);
    static const char *const has[] = {"IS_SANDBOX=1\n",
                                      "DISABLE_AUTOUPDATER=1\n",
                                      "HOME=",
                                      "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n",
                                      "CLAUDE_CODE_MAX_RETRIES=2\n",
                                      "LANG=",
                                      "USER="};

    (void)state;
    put_agent("#!/bin/sh\nenv; pwd; echo oops >&2; exit 7\n");
    put_job(&(struct capture_spec){.timeout_s = 60, .working_dir = "a/new dir"});
    assert_int_equal(start(), 0);
    wait_for("rc");
    read_file(at("out.ndjson"), &text);
    assert_null(strstr(text.p, "CANARY"));
    for (size_t i = 0; i < COUNTOF(has); i++)
        assert_non_null(strstr(text.p, has[i]));
    assert_non_null(strstr(text.p, "/a/new dir\n"));
    assert_file("err.log", "oops\n");
    assert_file("rc", "7\n");
}

/* The agent shows what it finds: the token by descriptor, no file, nothing in its tools, and
 * nothing for who opens the descriptor again. */
static void the_token_comes_by_descriptor_only(void **state)
{
    struct secret *token = NULL;
    struct err e;

    (void)state;
    assert_string_equal(err_name(secret_new(STR("sk-canary-12345678"), &token, &e)), "OK");
    put_agent("#!/bin/sh\nls \"$HOME/.sandfleet/r/1\" | grep -c token\n"
              "echo \"$FD\"; cat <&3; env | grep -c canary; cat /proc/$$/fd/3\n");
    put_job(&(struct capture_spec){.timeout_s = 60, .credential = token, .credential_env = "FD"});
    put_file(at("token"), secret_value(token), 0644);
    secret_free(token);
    assert_int_equal(start(), 0);
    assert_false(exists("token"));
    wait_for("rc");
    assert_file("out.ndjson", "0\n3\nsk-canary-123456780\n");
}

static void a_second_start_is_harmless(void **state)
{
    AUTO_BUF first = BUF_INIT(1 << 16), second = BUF_INIT(1 << 16);

    (void)state;
    put_agent("#!/bin/sh\necho one\n");
    put_job(&(struct capture_spec){.timeout_s = 60});
    assert_int_equal(start(), 0);
    read_file(at("pid"), &first);
    put_file(at("token"), STR("uploaded again"), 0600);
    assert_int_equal(start(), 0);
    assert_false(exists("token"));
    wait_for("rc");
    assert_int_equal(start(), 0);
    read_file(at("pid"), &second);
    assert_string_equal(first.p, second.p);
    assert_file("out.ndjson", "one\n");
}

/* In each round a loser may remove the token at any moment of the winner's start. */
static void many_starts_at_once_are_one(void **state)
{
    (void)state;
    put_agent("#!/bin/sh\necho one\ncat <&3\n");
    for (int round = 0; round < 20; round++) {
        put_job(&(struct capture_spec){.timeout_s = 60});
        put_file(at("token"), STR("T\n"), 0600);
        assert_int_equal(shell("cd -- \"$HOME/.sandfleet/r/1\" || exit\n"
                               "for i in 1 2 3 4 5 6 7 8; do sh ./job start & done; wait"),
                         0);
        wait_for("rc");
        assert_file("out.ndjson", "one\nT\n");
        assert_false(exists("token"));
        assert_int_equal(shell("rm -rf -- \"$HOME/.sandfleet/r/1/\"*"), 0);
    }
}

static void files_are_ours_alone(void **state)
{
    static const char *const names[] = {"job", "prompt", "out.ndjson", "err.log", "rc"};
    struct stat st;

    (void)state;
    put_agent("#!/bin/sh\n");
    put_job(&(struct capture_spec){.timeout_s = 60});
    assert_int_equal(start(), 0);
    wait_for("rc");
    for (size_t i = 0; i < COUNTOF(names); i++) {
        assert_int_equal(stat(at(names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    assert_int_equal(stat(at("."), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void the_time_limit_is_124(void **state)
{
    (void)state;
    put_agent("#!/bin/sh\necho up; exec sleep 60\n");
    put_job(&(struct capture_spec){.timeout_s = 1});
    assert_int_equal(start(), 0);
    wait_for("rc");
    assert_file("rc", "124\n");
    assert_file("out.ndjson", "up\n");
}

/* TERM is not heeded: KILL ten seconds later, and it still counts as the time limit. */
static void the_time_limit_kills(void **state)
{
    (void)state;
    put_agent("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.2; done\n");
    put_job(&(struct capture_spec){.timeout_s = 1});
    assert_int_equal(start(), 0);
    wait_for("rc");
    assert_file("rc", "124\n");
}

static struct end {
    const char *name, *agent, *rc;
} ends[] = {
    {"exit status", "#!/bin/sh\nexit 42\n", "42\n"},
    {"own signal", "#!/bin/sh\nkill -KILL $$\n", "137\n"},
    {"own TERM", "#!/bin/sh\nkill -TERM $$\n", "143\n"},
    {"interpreter missing", "#!/no/such\n", "127\n"},
};

static void rc_tells(void **state)
{
    const struct end *row = *state;

    put_agent(row->agent);
    put_job(&(struct capture_spec){.timeout_s = 60});
    assert_int_equal(start(), 0);
    wait_for("rc");
    assert_file("rc", row->rc);
}

static void a_missing_program_is_127(void **state)
{
    (void)state;
    put_job(&(struct capture_spec){.timeout_s = 60});
    assert_int_equal(start(), 0);
    wait_for("rc");
    assert_file("rc", "127\n");
}

static void a_killed_group_still_tells(void **state)
{
    (void)state;
    put_agent("#!/bin/sh\nsleep 60 &\necho up; wait\n");
    put_job(&(struct capture_spec){.timeout_s = 60});
    assert_int_equal(start(), 0);
    wait_for("agent");
    wait_for_bytes("out.ndjson", 1); /* by then it leads its group */
    assert_int_equal(
        shell("read -r group <\"$HOME/.sandfleet/r/1/agent\" && kill -s TERM -- \"-$group\""), 0);
    wait_for("rc");
    assert_file("rc", "143\n");
}

static void refuses_what_is_no_environment(void **state)
{
    static const char *const bad[][2] = {
        {"-i", NULL}, {"=x", NULL}, {"A B=1", NULL}, {"1A=1", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        AUTO_BUF job = BUF_INIT(1 << 20);
        struct err e;

        assert_string_equal(
            err_name(capture_job_write(&(struct capture_spec){.env = bad[i]}, &job, &e)),
            "INVALID");
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest fixed[] = {
        TEST(words_arrive_byte_for_byte),
        TEST(the_environment_is_clean),
        TEST(the_token_comes_by_descriptor_only),
        TEST(a_second_start_is_harmless),
        TEST(many_starts_at_once_are_one),
        TEST(files_are_ours_alone),
        TEST(the_time_limit_is_124),
        TEST(the_time_limit_kills),
        TEST(a_missing_program_is_127),
        TEST(a_killed_group_still_tells),
        cmocka_unit_test(refuses_what_is_no_environment),
    };
    struct CMUnitTest tests[COUNTOF(fixed) + COUNTOF(ends)];
    struct err e;

    if (secret_init(&e) != ERR_OK)
        return 1;
    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < COUNTOF(ends); i++)
        tests[COUNTOF(fixed) + i] = (struct CMUnitTest){.name = ends[i].name,
                                                        .test_func = rc_tells,
                                                        .setup_func = setup,
                                                        .teardown_func = teardown,
                                                        .initial_state = &ends[i]};
    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}

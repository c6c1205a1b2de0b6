/* SPDX-License-Identifier: Apache-2.0 */
/* What a process says of itself, and the limit of open files that it raises, or cannot. Each in
 * a child: limits are for ever. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/process.h"
#include "tests/lib/table.h"

static struct row {
    const char *name;
    rlim_t soft, hard;
    int64_t need;
    rlim_t after;     /* the soft limit */
    const char *says; /* NULL: fine */
} rows[] = {
    {"enough as it is", 64, 128, 64, 64, NULL},
    {"raised", 64, 128, 100, 100, NULL},
    {"raised as far as it goes", 64, 128, 128, 128, NULL},
    {"over the hard one", 64, 128, 129, 64, "129 open files are needed, and the hard limit is 128"},
};

static bool as_wanted(const struct row *row)
{
    struct rlimit now = {.rlim_cur = row->soft, .rlim_max = row->hard};
    struct err err = ERR_INIT;

    if (setrlimit(RLIMIT_NOFILE, &now) != 0)
        return false;
    enum err_code rc = process_need_files(row->need, &err);
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur != row->after)
        return false;
    return row->says ? rc == ERR_CONFIG && strstr(err.msg, row->says) : rc == ERR_OK;
}

static void need(void **state)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(as_wanted(*state) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void figures(void **state)
{
    struct process_figures before, after;
    int fds[3];

    (void)state;
    process_look(&before);
    for (size_t i = 0; i < COUNTOF(fds); i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    process_look(&after);
    assert_int_equal(after.files, before.files + 3);
    assert_true(before.files >= 3 && before.files_max >= after.files);
    assert_true(before.resident_bytes > 100 << 10 && after.cpu_s >= before.cpu_s);
    for (size_t i = 0; i < COUNTOF(fds); i++)
        assert_int_equal(close(fds[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures)};

    return cmocka_run_group_tests_name("process", tests, NULL, NULL) +
           TABLE_RUN("process_need_files", rows, need);
}

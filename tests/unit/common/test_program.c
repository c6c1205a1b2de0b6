/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every program answers --help, --version and --print-config and works no more then,
 * refuses what it does not know before it works, and ends with the status of its work's error.
 * Proof: a table of arguments to one whose work is to be seen. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/program.h"
#include "tests/lib/table.h"

#include "common/banned.h"

#define A(text)                                                                                    \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

struct settings {
    char *needed;
    bool word;
    struct program_common common;
};

static const struct opt settings_rows[] = {
    {.name = "needed",
     .type = OPT_STRING,
     .at = offsetof(struct settings, needed),
     .arg = "<text>",
     .help = "Is needed."},
    PROGRAM_ROWS(offsetof(struct settings, common)),
};

static enum err_code check(void *settings, const char *word, struct err *err)
{
    struct settings *s = settings;

    s->word = word && strcmp(word, "word") == 0;
    if (word && !s->word)
        return err_set(err, ERR_USAGE, "another word");
    if (!s->needed && !program_asked(&s->common))
        return err_set(err, ERR_CONFIG, "--needed is missing");
    return ERR_OK;
}

static enum err_code run(const void *settings, struct err *err)
{
    const struct settings *s = settings;

    (void)printf("works with %s%s\n", s->needed ? s->needed : "nothing",
                 s->word ? " and a word" : "");
    return s->needed && strcmp(s->needed, "fail") == 0 ? err_set(err, ERR_UNAUTHORIZED, "refused")
                                                       : ERR_OK;
}

static struct row {
    const char *name;
    char *argv[4]; /* behind the program's name */
    int words;
    bool works;
    enum err_code ends;
    const char *says;
} rows[] = {
    {"it works", {A("--needed=x")}, 0, true, ERR_OK, "works with x\n"},
    {"with its word", {A("--needed=x"), A("word")}, 1, true, ERR_OK, "x and a word\n"},
    {"its work fails", {A("--needed=fail")}, 0, true, ERR_UNAUTHORIZED, "event=test.failed"},
    {"its log is set up",
     {A("--needed=fail"), A("--log-format=json")},
     0,
     true,
     ERR_UNAUTHORIZED,
     "\"event\":\"test.failed\""},
    {"help", {A("-h")}, 0, false, ERR_OK, "usage: sandfleet-test\n\n"},
    {"its options", {A("--help")}, 0, false, ERR_OK, "--log-level"},
    {"version", {A("-V")}, 0, false, ERR_OK, "sandfleet-test " SF_VERSION "\n"},
    {"settings", {A("--print-config"), A("--needed=x")}, 0, false, ERR_OK, "needed"},
    {"what is needed", {NULL}, 0, false, ERR_CONFIG, "sandfleet-test: --needed is missing\n"},
    {"no such option", {A("--neeeded")}, 0, false, ERR_USAGE, "sandfleet-test: "},
    {"a word", {A("word")}, 0, false, ERR_USAGE, "sandfleet-test: 'word' is no option\n"},
    {"one too many", {A("word"), A("more")}, 1, false, ERR_USAGE, "'more' is no option\n"},
    {"another word", {A("more")}, 1, false, ERR_USAGE, "sandfleet-test: another word\n"},
    {"no such level", {A("--log-level=loud")}, 0, false, ERR_USAGE, "loud"},
    {"no such format", {A("--log-format=xml")}, 0, false, ERR_USAGE, "xml"},
};

static int call(const struct row *row, bool *released)
{
    struct settings s = {0};
    const struct program p = {
        .name = "sandfleet-test",
        .failed = "test.failed",
        .usage = "usage: sandfleet-test\n\n",
        .rows = settings_rows,
        .n = COUNTOF(settings_rows),
        .settings = &s,
        .common = &s.common,
        .words = row->words,
        .check = check,
        .run = run,
    };
    char *argv[COUNTOF(row->argv) + 1] = {(char[]){"sandfleet-test"}};
    int argc = 1, status;

    for (; row->argv[argc - 1]; argc++)
        argv[argc] = row->argv[argc - 1];
    status = program_main(&p, argc, argv);
    *released = s.needed == NULL;
    return status;
}

/* Both outputs; the test's own come back before anything is judged. */
static void ends_and_says(void **state)
{
    const struct row *row = *state;
    char said[4096] = "";
    int page = memfd_create("said", MFD_CLOEXEC), out = dup(STDOUT_FILENO),
        diag = dup(STDERR_FILENO);
    bool released = false;
    int status;

    assert_true(page >= 0 && out >= 0 && diag >= 0 && fflush(stdout) == 0);
    assert_true(dup2(page, STDOUT_FILENO) >= 0 && dup2(page, STDERR_FILENO) >= 0);
    status = call(row, &released);
    (void)fflush(stdout);
    assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(diag, STDERR_FILENO) >= 0);
    assert_true(pread(page, said, sizeof(said) - 1, 0) >= 0);
    (void)close(page);
    (void)close(out);
    (void)close(diag);
    assert_true(released);
    assert_int_equal(status, err_exit_status(row->ends));
    if (!strstr(said, row->says))
        fail_msg("'%s'", said);
    assert_int_equal(strstr(said, "works with") != NULL, row->works);
}

int main(void)
{
    return clearenv() == 0 ? TABLE_RUN("program", rows, ends_and_says) : 1;
}

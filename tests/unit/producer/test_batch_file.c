/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a broken line of a batch file is known, with its number and reason, before anything
 * is sent; good lines keep the ids they get when the file is submitted again.
 * Proof: files as rows, checked once and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/uuid.h"
#include "producer/batch_file.h"

struct row {
    const char *name, *text;
    size_t n; /* 0: strlen(text) */
    int64_t good, duplicates;
    int64_t bad_line; /* the first bad one; 0: none */
    const char *why;  /* a part of its message */
};

static struct row rows[] = {
    {"empty file", "", 0, 0, 0, 0, NULL},
    {"blank lines", "\n\n  \n", 0, 0, 0, 0, NULL},
    {"two good lines", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n", 0, 2, 0, 0, NULL},
    {"last line without newline", "{\"prompt\":\"a\"}", 0, 1, 0, 0, NULL},
    {"CRLF", "{\"prompt\":\"a\"}\r\n{\"prompt\":\"b\"}\r\n", 0, 2, 0, 0, NULL},
    {"byte order mark", "\xef\xbb\xbf{\"prompt\":\"a\"}\n", 0, 1, 0, 0, NULL},
    {"cut object", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"\n", 0, 1, 0, 2, "byte"},
    {"two objects a line", "{\"prompt\":\"a\"} {\"prompt\":\"b\"}\n", 0, 0, 0, 1, "byte"},
    {"array", "[{\"prompt\":\"a\"}]\n", 0, 0, 0, 1, "one object a line"},
    {"number as prompt", "{\"prompt\":5}\n", 0, 0, 0, 1, "prompt"},
    {"null prompt", "{\"prompt\":null}\n", 0, 0, 0, 1, "prompt"},
    {"no prompt", "{\"custom_id\":\"a\"}\n", 0, 0, 0, 1, "prompt"},
    {"empty prompt", "{\"prompt\":\"\"}\n", 0, 0, 0, 1, "prompt"},
    {"misspelt field", "{\"Prompt\":\"a\"}\n", 0, 0, 0, 1, "Prompt"},
    {"duplicate key", "{\"prompt\":\"a\",\"prompt\":\"b\"}\n", 0, 0, 0, 1, NULL},
    {"escaped NUL", "{\"prompt\":\"a\\u0000b\"}\n", 0, 0, 0, 1, NULL},
    {"raw NUL", "{\"prompt\":\"a\0b\"}\n", 17, 0, 0, 1, NULL},
    {"lone surrogate", "{\"prompt\":\"\\ud800\"}\n", 0, 0, 0, 1, NULL},
    {"UTF-16", "\xff\xfe{\0\"\0p\0", 8, 0, 0, 1, "UTF-16"},
    {"number out of range", "{\"prompt\":\"a\",\"priority\":1e999}\n", 0, 0, 0, 1, NULL},
    {"the fleet's own field", "{\"prompt\":\"a\",\"run_id\":\"x\"}\n", 0, 0, 0, 1, "run_id"},
    {"batch in a line", "{\"prompt\":\"a\",\"batch_id\":\"x\"}\n", 0, 0, 0, 1, "--batch"},
    {"the same line twice",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n", 0, 1, 1,
     0, NULL},
    {"one custom_id, two prompts",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{\"custom_id\":\"a1\",\"prompt\":\"y\"}\n", 0, 1, 0,
     2, "custom_id 'a1'"},
    {"custom_id is a number", "{\"custom_id\":7,\"prompt\":\"x\"}\n", 0, 0, 0, 1, "custom_id"},
    {"a secret", "{\"prompt\":\"use sk-ant-oat01-AAAA\"}\n", 0, 0, 0, 1, "secret"},
};

struct seen_bad {
    int64_t line;
    char why[256];
};

static void on_bad(void *ctx, int64_t line, const struct err *e)
{
    struct seen_bad *s = ctx;

    if (s->line == 0) {
        s->line = line;
        memcpy(s->why, e->msg, sizeof(s->why));
    }
}

static struct batch_file *file_of(const char *text, size_t n)
{
    char path[] = "/tmp/sandfleet-batch-XXXXXX";
    struct batch_file *f = NULL;
    struct err err = ERR_INIT;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
    assert_string_equal(err_name(batch_file_open(path, &f, &err)), "OK");
    unlink(path);
    return f;
}

static void check(void **state)
{
    const struct row *row = *state;
    struct client flags = {.priority = -1};
    struct request_defaults d = {.flags = &flags, .batch_id = "b1"};
    struct batch_file *f = file_of(row->text, row->n ? row->n : strlen(row->text));
    struct batch_counts counts;
    struct seen_bad bad = {0};
    struct err err = ERR_INIT;

    assert_string_equal(err_name(batch_file_check(f, &d, on_bad, &bad, &counts, &err)), "OK");
    assert_int_equal(counts.good, row->good);
    assert_int_equal(counts.duplicates, row->duplicates);
    assert_int_equal(counts.bad, row->bad_line ? 1 : 0);
    assert_int_equal(bad.line, row->bad_line);
    if (row->why && !strstr(bad.why, row->why))
        fail_msg("'%s' is not in '%s'", row->why, bad.why);

    int64_t made = 0, line;
    for (;;) {
        struct run_request r;
        assert_string_equal(err_name(batch_file_next(f, &d, &r, &line, &err)), "OK");
        if (!r.run_id)
            break;
        made++;
        run_request_release(&r);
    }
    assert_int_equal(made, row->good);
    batch_file_close(f);
}

static void first_id(struct batch_file *f, const struct request_defaults *d, char out[UUID_TEXT])
{
    struct run_request r;
    int64_t line;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(batch_file_next(f, d, &r, &line, &err)), "OK");
    assert_non_null(r.run_id);
    memcpy(out, r.run_id, UUID_TEXT);
    run_request_release(&r);
}

static void same_file_same_ids(void **state)
{
    static const char text[] = "{\"custom_id\":\"a\",\"prompt\":\"x\"}\n{\"prompt\":\"y\"}\n";
    struct client flags = {.priority = -1};
    struct request_defaults d = {.flags = &flags, .batch_id = "b1"};
    struct request_defaults other = {.flags = &flags, .batch_id = "b2"};
    char id[5][UUID_TEXT];

    (void)state;
    struct batch_file *f = file_of(text, strlen(text)), *g = file_of(text, strlen(text)),
                      *h = file_of(text, strlen(text));
    first_id(f, &d, id[0]);
    first_id(g, &d, id[1]);
    first_id(h, &other, id[2]);
    assert_string_equal(id[0], id[1]);
    assert_string_not_equal(id[0], id[2]);
    first_id(f, &d, id[3]); /* without a custom_id every submit is a new run */
    first_id(g, &d, id[4]);
    assert_string_not_equal(id[3], id[4]);
    batch_file_close(f);
    batch_file_close(g);
    batch_file_close(h);
}

/* The number of the one broken line among many is right, and memory for a long line is bounded. */
static void broken_500th_line(void **state)
{
    struct client flags = {.priority = -1};
    struct request_defaults d = {.flags = &flags, .batch_id = "b1"};
    struct batch_counts counts;
    struct seen_bad bad = {0};
    struct err err = ERR_INIT;
    AUTO_BUF text = BUF_INIT(8 << 20);

    (void)state;
    for (int i = 1; i <= 1000; i++)
        buf_addf(&text, i == 500 ? "{\"prompt\":%d\n" : "{\"prompt\":\"p%d\"}\n", i);
    for (int i = 0; i < 3 << 20; i++)
        buf_addc(&text, 'x');
    struct batch_file *f = file_of(text.p, text.len);
    assert_string_equal(err_name(batch_file_check(f, &d, on_bad, &bad, &counts, &err)), "OK");
    assert_int_equal(bad.line, 500);
    assert_int_equal(counts.good, 999);
    assert_int_equal(counts.bad, 2);
    batch_file_close(f);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 2];
    size_t n = COUNTOF(rows);

    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(same_file_same_ids);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(broken_500th_line);
    return cmocka_run_group_tests_name("batch_file", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the daemon's lists are read as it writes them, defaults left out; too much is
 * refused. Proof: answers of the real daemon, and answers with one thing wrong. */
#include "tests/lib/table.h"

#include <string.h>

#include "worker/e2b/envd_answer.h"

static struct row {
    const char *name, *body, *want;
    size_t n;
} rows[] = {
    {"no process", "{}", "OK", 0},
    {"processes",
     "{\"processes\":[{\"config\":{\"cmd\":\"/bin/"
     "sh\",\"args\":[\"-c\"]},\"pid\":19,\"tag\":\"t\"},"
     "{\"config\":{\"cmd\":\"a\"},\"pid\":20}]}",
     "OK", 2},
    {"a member of another type", "{\"processes\":7}", "OK", 0},
    {"an element of another type", "{\"processes\":[7]}", "OK", 1},
    {"no JSON", "<html>", "PROTOCOL", 0},
    {"no object", "[]", "PROTOCOL", 0},
};

static void reads_processes(void **state)
{
    const struct row *row = *state;
    struct envd_processes p;
    struct err e = ERR_INIT;

    assert_string_equal(err_name(envd_processes_parse(str_of(row->body), &p, &e)), row->want);
    assert_int_equal(p.n, row->n);
    if (row->n == 2) {
        assert_int_equal(p.all[0].pid, 19);
        assert_string_equal(p.all[0].cmd, "/bin/sh");
        assert_string_equal(p.all[0].tag, "t");
        assert_string_equal(p.all[1].cwd, "");
        assert_null(p.all[1].tag);
    }
    envd_processes_release(&p);
}

static void reads_entries(void **state)
{
    struct envd_entries list;
    struct err e;

    (void)state;
    assert_string_equal(
        err_name(envd_entries_parse(
            STR("{\"entries\":[{\"name\":\"l\",\"type\":\"FILE_TYPE_SYMLINK\",\"path\":\"/l\","
                "\"size\":\"9007199254740993\",\"mode\":511,\"modifiedTime\":\"1970-01-01T00:00:01."
                "5Z\","
                "\"symlinkTarget\":\"/t\"},{\"type\":\"FILE_TYPE_NEW\"}]}"),
            &list, &e)),
        "OK");
    assert_int_equal(list.n, 2);
    assert_int_equal(list.all[0].type, ENVD_SYMLINK);
    assert_true(list.all[0].size == 9007199254740993);
    assert_int_equal(list.all[0].mode, 511);
    assert_int_equal(list.all[0].modified_ms, 1500);
    assert_string_equal(list.all[0].target, "/t");
    assert_int_equal(list.all[1].type, ENVD_OTHER);
    assert_string_equal(list.all[1].path, "");
    envd_entries_release(&list);
}

static void too_many_are_refused(void **state)
{
    AUTO_BUF body = BUF_INIT(1 << 20);
    struct envd_processes p;
    struct err e;

    (void)state;
    buf_adds(&body, "{\"processes\":[0");
    for (int i = 0; i < ENVD_LIST_MAX; i++)
        buf_adds(&body, ",0");
    buf_adds(&body, "]}");
    assert_string_equal(err_name(envd_processes_parse(buf_str(&body), &p, &e)), "TOO_BIG");
    assert_null(p.all);
}

static struct watch_row {
    const char *name, *message;
    enum watch_kind kind;
    char change;
    const char *file;
} watches[] = {
    {"started", "{\"start\":{}}", WATCH_STARTED, '?', ""},
    {"keepalive", "{\"keepalive\":{}}", WATCH_KEEPALIVE, '?', ""},
    {"made", "{\"filesystem\":{\"name\":\"a b\",\"type\":\"EVENT_TYPE_CREATE\"}}", WATCH_CHANGED,
     'c', "a b"},
    {"renamed", "{\"filesystem\":{\"name\":\"\\u00fc\",\"type\":\"EVENT_TYPE_RENAME\"}}",
     WATCH_CHANGED, 'm', "\xc3\xbc"},
    {"a change we do not know", "{\"filesystem\":{\"type\":\"EVENT_TYPE_NEW\"}}", WATCH_CHANGED,
     '?', ""},
    {"a kind we do not know", "{\"weather\":{}}", WATCH_OTHER, '?', ""},
    {"nothing", "{}", WATCH_OTHER, '?', ""},
};

static void reads_changes(void **state)
{
    const struct watch_row *row = *state;
    struct watch_event w;

    assert_string_equal(err_name(watch_event_parse(str_of(row->message), &w, NULL)), "OK");
    assert_int_equal(w.kind, row->kind);
    assert_int_equal(w.change, row->change);
    assert_string_equal(w.name, row->file);
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        cmocka_unit_test(reads_entries),
        cmocka_unit_test(too_many_are_refused),
    };

    return TABLE_RUN("envd_answer.processes", rows, reads_processes) +
           TABLE_RUN("envd_answer.watch", watches, reads_changes) +
           cmocka_run_group_tests_name("envd_answer", stories, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an entry is told as envd tells it, defaults left out. Proof: a table of facts. */
#include <string.h>

#include "sandboxd/envd/files_metadata.h"
#include "sandboxd/sandbox/file_entry.h"
#include "tests/lib/table.h"

#define TAIL ",\"owner\":\"user\",\"group\":\"g\",\"modifiedTime\":\"1970-01-01T00:00:00Z\""

static struct row {
    const char *name, *path;
    mode_t self, shown;
    int64_t size, at_ns;
    const char *target;
    struct str metadata;
    const char *want;
} rows[] = {
    {"a file",
     "/a/x",
     S_IFREG | 0644,
     S_IFREG | 0644,
     5,
     0,
     NULL,
     {"", 0},
     "{\"name\":\"x\",\"type\":\"FILE_TYPE_FILE\",\"path\":\"/a/x\",\"size\":\"5\",\"mode\":420,"
     "\"permissions\":\"-rw-r--r--\"" TAIL "}"},
    {"defaults are left out",
     "/x",
     S_IFREG,
     S_IFREG,
     0,
     0,
     NULL,
     {"", 0},
     "{\"name\":\"x\",\"type\":\"FILE_TYPE_FILE\",\"path\":\"/"
     "x\",\"permissions\":\"----------\"" TAIL "}"},
    {"a folder with all bits",
     "/d",
     S_IFDIR | 07777,
     S_IFDIR | 07777,
     0,
     0,
     NULL,
     {"", 0},
     "{\"name\":\"d\",\"type\":\"FILE_TYPE_DIRECTORY\",\"path\":\"/d\",\"mode\":511,"
     "\"permissions\":\"dugtrwxrwxrwx\"" TAIL "}"},
    {"a link to a folder",
     "/l",
     S_IFLNK | 0777,
     S_IFDIR | 0700,
     3,
     0,
     "/d",
     {"", 0},
     "{\"name\":\"l\",\"type\":\"FILE_TYPE_DIRECTORY\",\"path\":\"/l\",\"size\":\"3\",\"mode\":448,"
     "\"permissions\":\"Lrwxrwxrwx\"" TAIL ",\"symlinkTarget\":\"/d\",\"isSymlink\":true}"},
    {"a link to nothing",
     "/l",
     S_IFLNK | 0777,
     0,
     3,
     0,
     "/l",
     {"", 0},
     "{\"name\":\"l\",\"path\":\"/l\",\"size\":\"3\",\"permissions\":\"Lrwxrwxrwx\"" TAIL
     ",\"symlinkTarget\":\"/l\",\"isSymlink\":true}"},
    {"a device",
     "/n",
     S_IFCHR | 0666,
     S_IFCHR | 0666,
     0,
     0,
     NULL,
     {"", 0},
     "{\"name\":\"n\",\"path\":\"/n\",\"mode\":438,\"permissions\":\"Dcrw-rw-rw-\"" TAIL "}"},
    {"metadata",
     "/x",
     S_IFREG | 0600,
     S_IFREG | 0600,
     0,
     0,
     NULL,
     {"a\0b \"c\"\0d\0\0", 11},
     "{\"name\":\"x\",\"type\":\"FILE_TYPE_FILE\",\"path\":\"/x\",\"mode\":384,"
     "\"permissions\":\"-rw-------\"" TAIL ",\"metadata\":{\"a\":\"b \\\"c\\\"\",\"d\":\"\"}}"},
    {"no text",
     "/\xff",
     S_IFIFO | 0600,
     S_IFIFO | 0600,
     0,
     0,
     NULL,
     {"", 0},
     "{\"name\":\"\xef\xbf\xbd\",\"path\":\"/\xef\xbf\xbd\",\"mode\":384,"
     "\"permissions\":\"prw-------\"" TAIL "}"},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct file_facts f = {.path = row->path,
                           .mode = row->shown,
                           .target = row->target,
                           .owner = "user",
                           .group = "g",
                           .metadata = row->metadata};
    AUTO_BUF out = BUF_INIT(4096);

    f.st.st_mode = row->self;
    f.st.st_size = row->size;
    file_entry_put(&out, &f);
    assert_string_equal(out.p, row->want);
}

static void times(void **state)
{
    static const struct {
        struct timespec at;
        const char *want;
    } cases[] = {
        {{1795261524, 0}, "2026-11-21T11:45:24Z"},
        {{1795261524, 120000000}, "2026-11-21T11:45:24.120Z"},
        {{1795261524, 1000}, "2026-11-21T11:45:24.000001Z"},
        {{1795261524, 123456789}, "2026-11-21T11:45:24.123456789Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct file_facts f = {.path = "/x", .owner = "", .group = ""};
        AUTO_BUF out = BUF_INIT(4096), want = BUF_INIT(256);

        f.st.st_mtim = cases[i].at;
        file_entry_put(&out, &f);
        buf_addf(&want, "\"modifiedTime\":\"%s\"", cases[i].want);
        assert_non_null(strstr(out.p, want.p));
    }
}

static void metadata_of_headers(void **state)
{
    struct metadata m = {.pairs = BUF_INIT(FILES_METADATA_ROOM)};
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    metadata_json(&m, &out);
    assert_int_equal(out.len, 0);
    metadata_add(&m, "X-Access-Token", "no");
    metadata_add(&m, "X-Metadata-", "no key");
    metadata_add(&m, "x-metadata-Author", "first");
    metadata_add(&m, "X-METADATA-AUTHOR", "second");
    metadata_add(&m, "X-Metadata-b", "");
    metadata_json(&m, &out);
    assert_string_equal(out.p, "\"metadata\":{\"author\":\"first\",\"b\":\"\"}");
    assert_string_equal(err_name(metadata_check(&m, NULL)), "OK");
    metadata_add(&m, "X-Metadata-c", "caf\xc3\xa9");
    assert_string_equal(err_name(metadata_check(&m, NULL)), "INVALID");
    buf_release(&m.pairs);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(times),
                                      cmocka_unit_test(metadata_of_headers)};
    int failed = TABLE_RUN("entry", rows, check);

    return failed + cmocka_run_group_tests_name("entry", more, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no archive puts anything outside of the folder it is unpacked into, and none unpacks to
 * more than its ceilings; what is refused is refused by name; however its bytes are cut, the
 * verdict is the same. Proof: tars of one or two members, each with one thing wrong, whole and byte
 * by byte; what tar_write wrote passes. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/table.h"
#include "worker/workspace/tar_check.h"
#include "worker/workspace/tar_write.h"
#include "common/banned.h"

enum { BLOCK = 512 };

struct member {
    const char *name;
    char type; /* 0: no more members */
    const char *link;
    int64_t size; /* as told; its body is zeros, at most a block of it */
    const char *body, *prefix, *magic;
    bool bad_sum;
};

#define FILE(n)     {.name = n, .type = '0'}
#define DIR(n)      {.name = n, .type = '5'}
#define LINK(n, to) {.name = n, .type = '2', .link = to}
#define HARD(n, to) {.name = n, .type = '1', .link = to}
#define PAX(text)   {.name = "x", .type = 'x', .body = text}

static struct row {
    const char *name;
    struct member m[4];
    int64_t strip;
    const char *want; /* NULL: it passes; else a part of the message */
    int64_t members;
} rows[] = {
    {"a file, a folder, links",
     {FILE("a/b"), DIR("c/"), LINK("c/l", "../a/b"), HARD("h", "a/b")},
     0,
     NULL,
     4},
    {"with the folder itself", {DIR("./"), FILE("./a")}, 0, NULL, 1},
    {"a folder twice", {DIR("a"), DIR("a/")}, 0, NULL, 2},
    {"up", {FILE("../a")}, 0, "member '../a' has a part '..'", 0},
    {"up in the middle", {FILE("a/../../b")}, 0, "has a part '..'", 0},
    {"up behind a dot", {FILE("./../a")}, 0, "has a part '..'", 0},
    {"absolute", {FILE("/etc/passwd")}, 0, "member '/etc/passwd' is absolute", 0},
    {"absolute behind a dot", {FILE(".//etc/passwd")}, 0, NULL, 1}, /* which means etc/passwd */
    {"an empty part", {FILE("a//b")}, 0, "has an empty part", 0},
    {"a newline", {FILE("a\nb")}, 0, "member 'a?b' has a control byte", 0},
    {"no name", {FILE("")}, 0, "without a name", 0},
    {"up by the prefix",
     {{.name = "a", .type = '0', .prefix = "../x"}},
     0,
     "'../x/a' has a part '..'",
     0},
    {"a prefix that GNU's tar does not read",
     {{.name = "a", .type = '0', .prefix = "../x", .magic = "ustar  "}},
     0,
     NULL,
     1},
    {"a file called like a folder", {FILE("a/")}, 0, "called like one", 0},
    {"a folder with a body", {{.name = "a/", .type = '5', .size = 5}}, 0, "has a body", 0},
    {"a link with a body",
     {{.name = "a", .type = '2', .link = "b", .size = 5}},
     0,
     "has a body",
     0},
    {"a character device", {{.name = "null", .type = '3'}}, 0, "member 'null' is no plain file", 0},
    {"a block device", {{.name = "sda", .type = '4'}}, 0, "is no plain file", 0},
    {"a fifo", {{.name = "pipe", .type = '6'}}, 0, "is no plain file", 0},
    {"a sparse file", {{.name = "s", .type = 'S'}}, 0, "is no plain file", 0},
    {"a file twice", {FILE("a"), FILE("./a")}, 0, "member './a' comes twice", 0},
    {"a file that is a folder", {FILE("a/b"), FILE("a")}, 0, "comes twice", 0},
    {"a link out", {LINK("l", "../x")}, 0, "member 'l' is a link that leads", 0},
    {"an absolute link", {LINK("l", "/etc")}, 0, "is a link that leads", 0},
    {"a link by way of others",
     {LINK("d", "."), LINK("l", "d/d/../..")},
     0,
     "is a link that leads",
     0},
    {"through a link", {LINK("l", "a"), FILE("l/b")}, 0, "member 'l/b' lies below", 0},
    {"below a file", {FILE("a"), FILE("a/b")}, 0, "lies below", 0},
    {"a link where a folder is", {FILE("a/b"), LINK("a", "c")}, 0, "comes twice", 0},
    {"a hard link out", {HARD("h", "../x")}, 0, "is a link to what is no file", 0},
    {"a hard link to a link",
     {LINK("l", "a"), HARD("h", "l")},
     0,
     "is a link to what is no file",
     0},
    {"a hard link to nothing yet",
     {HARD("h", "a"), FILE("a")},
     0,
     "is a link to what is no file",
     0},
    {"two files over the ceiling",
     {{.name = "a", .type = '0', .size = 0},
      {.name = "b", .type = '0', .size = TAR_UNPACKED_MAX + 1}},
     0,
     "over 1 GiB",
     0},
    {"a damaged header",
     {{.name = "a", .type = '0', .bad_sum = true}},
     0,
     "no tar, or a damaged one",
     0},
    {"stripped", {DIR("p/"), FILE("p/a"), HARD("p/h", "p/a")}, 1, NULL, 2},
    {"stripped to the same", {FILE("p/a"), FILE("q/a")}, 1, "comes twice", 0},
    {"a link that stripping lets out", {LINK("p/l", "../a")}, 1, "is a link that leads", 0},
    {"a long name", {PAX("11 path=ab\n"), FILE("x")}, 0, NULL, 1},
    {"a long name that leads out",
     {PAX("14 path=../ab\n"), FILE("x")},
     0,
     "'../ab' has a part '..'",
     0},
    {"a long link that leads out",
     {PAX("18 linkpath=../ab\n"), LINK("x", "y")},
     0,
     "is a link that leads",
     0},
    {"GNU's long name that leads out",
     {{.name = "L", .type = 'L', .body = "../ab"}, FILE("x")},
     0,
     "'../ab' has",
     0},
    {"GNU's long link that leads out",
     {{.name = "K", .type = 'K', .body = "../ab"}, LINK("x", "y")},
     0,
     "is a link",
     0},
    {"named twice",
     {PAX("11 path=ab\n"), {.name = "L", .type = 'L', .body = "cd"}, FILE("x")},
     0,
     "twice",
     0},
    {"a global name",
     {{.name = "g", .type = 'g', .body = "11 path=ab\n"}, FILE("x")},
     0,
     "global header",
     0},
    {"a global comment",
     {{.name = "g", .type = 'g', .body = "13 comment=1\n"}, FILE("x")},
     0,
     NULL,
     1},
    {"sparse by pax", {PAX("22 GNU.sparse.major=1\n"), FILE("x")}, 0, "sparse", 0},
    {"a size by pax", {PAX("10 size=3\n"), {.name = "x", .type = '0', .body = "abc"}}, 0, NULL, 1},
    {"a negative size by pax", {PAX("11 size=-3\n"), FILE("x")}, 0, "size is none", 0},
    {"a damaged record", {PAX("99 path=ab\n"), FILE("x")}, 0, "damaged", 0},
    {"a record without a value", {PAX("8 pathh\n"), FILE("x")}, 0, "damaged", 0},
    {"a name without a member", {PAX("11 path=ab\n")}, 0, "cut short", 0},
};

static void put(struct buf *tar, const struct member *m)
{
    char h[BLOCK] = {0}, text[32];
    size_t body = m->body ? strlen(m->body) : 0;
    unsigned sum = 0;

    memcpy(h, m->name, strlen(m->name));
    memcpy(h + 100, "0000644", 7);
    snprintf(text, sizeof(text), "%011llo", (long long)(m->size ? m->size : (int64_t)body));
    memcpy(h + 124, text, 12);
    memset(h + 148, ' ', 8);
    h[156] = m->type;
    if (m->link)
        memcpy(h + 157, m->link, strlen(m->link));
    memcpy(h + 257, m->magic ? m->magic : "ustar\00000", 8);
    if (m->prefix)
        memcpy(h + 345, m->prefix, strlen(m->prefix));
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(text, sizeof(text), "%06o", sum + m->bad_sum);
    memcpy(h + 148, text, 7);
    buf_add(tar, h, BLOCK);
    if (body || m->size) {
        char block[BLOCK] = {0};

        memcpy(block, m->body ? m->body : "", body);
        buf_add(tar, block, BLOCK);
    }
}

static enum err_code look(struct str tar, size_t bite, int64_t strip, int64_t *members,
                          struct err *err)
{
    struct tar_check *t = tar_check_new(strip);
    enum err_code rc = ERR_OK;

    assert_non_null(t);
    while (rc == ERR_OK && tar.n > 0) {
        size_t n = tar.n < bite ? tar.n : bite;

        rc = tar_check_feed(t, (struct str){tar.p, n}, err);
        tar = (struct str){tar.p + n, tar.n - n};
    }
    if (rc == ERR_OK)
        rc = tar_check_end(t, err);
    *members = tar_check_members(t);
    tar_check_free(t);
    return rc;
}

static void check(void **state)
{
    static const size_t bites[] = {1, 511, 513, 1 << 20};
    const struct row *row = *state;
    AUTO_BUF tar = BUF_INIT(1 << 20);

    for (size_t i = 0; i < COUNTOF(row->m) && row->m[i].type; i++)
        put(&tar, &row->m[i]);
    tar_put_end(&tar);
    for (size_t i = 0; i < COUNTOF(bites); i++) {
        struct err err = ERR_INIT;
        int64_t members = 0;
        enum err_code rc = look(buf_str(&tar), bites[i], row->strip, &members, &err);

        if (row->want ? rc != ERR_INVALID || !strstr(err.msg, row->want) : rc != ERR_OK)
            fail_msg("in pieces of %zu: '%s'", bites[i], err.msg);
        if (!row->want)
            assert_int_equal(members, row->members);
    }
}

static void what_we_write_passes(void **state)
{
    AUTO_BUF tar = BUF_INIT(1 << 20);
    char name[512];
    struct err err = ERR_INIT;
    int64_t members;

    (void)state;
    memset(name, 'x', sizeof(name));
    for (size_t i = 120; i < sizeof(name); i += 120)
        name[i] = '/';
    tar_put(&tar, (struct str){name, 99}, 0644, STR("1"));
    tar_put(&tar, (struct str){name, 100}, 0755, STR(""));
    tar_put(&tar, (struct str){name, 101}, 0644, (struct str){name, 512});
    tar_put(&tar, (struct str){name, 511}, 0600, (struct str){name, 511});
    tar_put_end(&tar);
    if (look(buf_str(&tar), 4096, 0, &members, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(members, 4);
}

static void a_cut_tar_is_refused(void **state)
{
    AUTO_BUF tar = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    int64_t members;

    (void)state;
    tar_put(&tar, STR("a"), 0644, STR("some text"));
    for (size_t n = 0; n <= tar.len; n++) {
        enum err_code rc = look((struct str){tar.p, n}, 4096, 0, &members, &err);

        assert_int_equal(rc == ERR_OK, n == tar.len);
    }
}

static void there_is_a_ceiling_of_members(void **state)
{
    struct tar_check *t = tar_check_new(0);
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    int n = 0;

    (void)state;
    for (; rc == ERR_OK && n < 2 * TAR_MEMBERS_MAX; n++) {
        AUTO_BUF one = BUF_INIT(4096);
        char name[32];

        snprintf(name, sizeof(name), "d/%d", n);
        tar_put(&one, str_of(name), 0644, STR(""));
        rc = tar_check_feed(t, buf_str(&one), &err);
    }
    assert_string_equal(err_name(rc), "INVALID");
    assert_int_equal(n, TAR_MEMBERS_MAX + 1);
    tar_check_free(t);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(what_we_write_passes),
                                        cmocka_unit_test(a_cut_tar_is_refused),
                                        cmocka_unit_test(there_is_a_ceiling_of_members)};

    return TABLE_RUN("tar_check", rows, check) +
           cmocka_run_group_tests_name("tar_check, whole", others, NULL, NULL);
}

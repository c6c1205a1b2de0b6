/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a copy of a folder has its files, modes and links as they are, follows no link, and
 * ends at its limits.
 * Proof: a folder with all of that, copied and looked at; and limits one too small. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandboxd/sandbox/tree.h"
#include "sandboxd/sandbox/tree_copy.h"
#include "tests/lib/table.h"

static char root[] = "/tmp/tree-copy-XXXXXX";

static const char *at(const char *name)
{
    static char path[2][512];
    static int which;

    which = !which;
    (void)snprintf(path[which], sizeof(path[which]), "%s/%s", root, name);
    return path[which];
}

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static int make(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    (void)mkdir(at("from"), 0700);
    (void)mkdir(at("from/d"), 0750);
    put("outside", "never", 0600);
    put("from/d/x", "12345", 0640);
    put("from/tool", "", 0755);
    assert_int_equal(symlink("/etc/shadow", at("from/away")), 0);
    assert_int_equal(symlink("../outside", at("from/up")), 0);
    assert_int_equal(mkfifo(at("from/pipe"), 0600), 0);
    return 0;
}

static int take_away(void **state)
{
    (void)state;
    return tree_remove(root);
}

static void is_whole(void **state)
{
    static const struct tree_limits most = {5, 6};
    struct stat st;
    char link[64] = "";

    (void)state;
    (void)mkdir(at("to"), 0700);
    assert_int_equal(tree_copy(at("from"), at("to"), &most), 0);
    assert_int_equal(stat(at("to/d/x"), &st), 0);
    assert_true(st.st_size == 5 && (st.st_mode & 07777) == 0640);
    assert_int_equal(stat(at("to/d"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(stat(at("to/tool"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(readlink(at("to/away"), link, sizeof(link) - 1), 11);
    assert_string_equal(link, "/etc/shadow");
    assert_true(lstat(at("to/up"), &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(lstat(at("to/pipe"), &st), -1);
}

static void holes_take_no_room(void **state)
{
    static const struct tree_limits most = {256 << 10, 1};
    char tail[4] = "";
    struct stat st;

    (void)state;
    (void)mkdir(at("sparse"), 0700);
    (void)mkdir(at("copy"), 0700);
    int fd = open(at("sparse/x"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
    assert_int_equal(ftruncate(fd, 128 << 20), 0);
    (void)close(fd);
    assert_int_equal(tree_copy(at("sparse"), at("copy"), &most), 0);
    fd = open(at("copy/x"), O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_true(st.st_size == 128 << 20 && st.st_blocks < 1024);
    assert_int_equal(pread(fd, tail, 3, 64 << 20), 3);
    assert_string_equal(tail, "end");
    (void)close(fd);
}

static void ends_at_its_limits(void **state)
{
    static const struct tree_limits bytes = {4, 100}, entries = {1000, 5};

    (void)state;
    (void)mkdir(at("to2"), 0700);
    (void)mkdir(at("to3"), 0700);
    assert_int_equal(tree_copy(at("from"), at("to2"), &bytes), EFBIG);
    assert_int_equal(tree_copy(at("from"), at("to3"), &entries), EFBIG);
}

static void goes_through_no_link(void **state)
{
    static const struct tree_limits most = {1000, 100};

    (void)state;
    (void)mkdir(at("to4"), 0700);
    assert_int_equal(symlink("from", at("linked")), 0);
    assert_int_equal(tree_copy(at("linked"), at("to4"), &most), ENOTDIR);
    assert_int_equal(tree_copy(at("from/nothing"), at("to4"), &most), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_whole),
        cmocka_unit_test(holes_take_no_room),
        cmocka_unit_test(ends_at_its_limits),
        cmocka_unit_test(goes_through_no_link),
    };

    return cmocka_run_group_tests_name("tree_copy", tests, make, take_away);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no path that passes names a place outside the folder it begins in, and no link that
 * passes leads there, not even by way of others. Proof: rows; and every pair of a few links in a
 * few folders, followed step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/path.h"
#include "common/banned.h"

#define ROW(text) text, sizeof(text) - 1
static const struct {
    const char *path;
    size_t n;
    const char *want; /* NULL: it is fine */
} paths[] = {
    {ROW("a"), NULL},
    {ROW("a/b.c/-d"), NULL},
    {ROW("..."), NULL},
    {ROW("a/..b/.c"), NULL},
    {ROW("\xc3\xbc/\xe2\x82\xac"), NULL},
    {ROW(""), "is empty"},
    {ROW("/"), "is absolute"},
    {ROW("/etc/passwd"), "is absolute"},
    {ROW(".."), "has a part '..'"},
    {ROW("a/../b"), "has a part '..'"},
    {ROW("a/.."), "has a part '..'"},
    {ROW("../a"), "has a part '..'"},
    {ROW("."), "has a part '.'"},
    {ROW("./a"), "has a part '.'"},
    {ROW("a//b"), "has an empty part"},
    {ROW("a/"), "has an empty part"},
    {ROW("a\0b"), "has a control byte"},
    {ROW("a\nb"), "has a control byte"},
    {ROW("a\x7f"), "has a control byte"},
};

static void a_path_stays_below(void **state)
{
    char part[PATH_PART_MAX_BYTES + 2], whole[PATH_MAX_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        const char *fault = path_fault((struct str){paths[i].path, paths[i].n});

        if ((fault == NULL) != (paths[i].want == NULL) ||
            (fault && strcmp(fault, paths[i].want) != 0))
            fail_msg("'%s' %s", paths[i].path, fault ? fault : "is fine");
    }
    memset(part, 'x', sizeof(part));
    assert_null(path_fault((struct str){part, PATH_PART_MAX_BYTES}));
    assert_non_null(path_fault((struct str){part, PATH_PART_MAX_BYTES + 1}));
    for (size_t i = 0; i < sizeof(whole); i++)
        whole[i] = i % 2 ? '/' : 'x';
    assert_null(path_fault((struct str){whole, PATH_MAX_BYTES - 1}));
    assert_string_equal(path_fault((struct str){whole, PATH_MAX_BYTES + 1}), "has over 1024 bytes");
}

static const struct {
    const char *link, *target;
    bool stays;
} links[] = {
    {"l", "a", true},           {"l", "a/b", true},
    {"l", "a/", true},          {"l", ".", true},
    {"l", "..", false},         {"l", "../a", false},
    {"a/l", "..", true},        {"a/l", "../", true},
    {"a/l", "../b", true},      {"a/l", "../..", false},
    {"a/b/l", "../../c", true}, {"a/b/l", "../../../c", false},
    {"l", "/etc", false},       {"l", "a/../../b", false},
    {"l", "a/..", false},       {"a/l", "b/../../..", false},
    {"l", "", false},           {"l", "a//b", false},
    {"l", "./a", false},
};

static void a_link_stays_in_the_tree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(links); i++)
        if (path_link_stays(str_of(links[i].link), str_of(links[i].target)) != links[i].stays)
            fail_msg("%s -> %s", links[i].link, links[i].target);
}

/* --- chains of links -------------------------------------------------------------- */

/* Two links, at places that are no links themselves; resolves `text` from `at` folders deep. Every
 * folder's name tells where it is: "d", "d/e". False: it left the tree. */
struct tree {
    const char *link[2], *target[2];
};

static bool follow(const struct tree *t, char *here, const char *text, int hops)
{
    struct str rest = str_of(text), part;

    while (str_next(&rest, '/', &part)) {
        size_t n = strlen(here);

        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            char *slash = strrchr(here, '/');

            if (n == 0)
                return false;
            *(slash ? slash : here) = '\0';
            continue;
        }
        if (n + part.n + 2 > 256 || hops > 8)
            return true; /* the kernel gives up, too */
        if (n > 0)
            here[n++] = '/';
        memcpy(here + n, part.p, part.n);
        here[n + part.n] = '\0';
        for (size_t i = 0; i < 2; i++)
            if (strcmp(here, t->link[i]) == 0) {
                here[n > 0 ? n - 1 : 0] = '\0';
                if (!follow(t, here, t->target[i], hops + 1))
                    return false;
                break;
            }
    }
    return true;
}

static void no_chain_of_links_leads_out(void **state)
{
    static const char *const places[] = {"l", "m", "d/l", "d/m", "d/e/l"};
    static const char *const targets[] = {
        ".",    "..",  "d",     "d/e",  "l",       "m",     "l/m",     "m/l",     "../l",
        "../m", "d/l", "d/m/l", "l/..", "m/../..", "../..", "../../l", "d/../..", "l/l/m"};
    int checked = 0;

    (void)state;
    for (size_t a = 0; a < COUNTOF(places); a++)
        for (size_t b = 0; b < COUNTOF(places); b++)
            for (size_t x = 0; x < COUNTOF(targets) && a != b; x++)
                for (size_t y = 0; y < COUNTOF(targets); y++) {
                    struct tree t = {{places[a], places[b]}, {targets[x], targets[y]}};
                    char here[512] = "";

                    if (!path_link_stays(str_of(t.link[0]), str_of(t.target[0])) ||
                        !path_link_stays(str_of(t.link[1]), str_of(t.target[1])))
                        continue;
                    checked++;
                    if (!follow(&t, here, t.link[0], 0))
                        fail_msg("%s -> %s and %s -> %s lead out", t.link[0], t.target[0],
                                 t.link[1], t.target[1]);
                }
    assert_true(checked > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_path_stays_below),
                                       cmocka_unit_test(a_link_stays_in_the_tree),
                                       cmocka_unit_test(no_chain_of_links_leads_out)};

    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a level is a fixed set of mechanisms, each stronger one has no fewer namespaces, and a
 * sandbox's cgroup is found by what the kernel says.
 * Proof: the levels by name; texts of /proc/self/cgroup of each kind of machine. */
#include <stdio.h>
#include <string.h>

#include "sandboxd/sandbox/isolation.h"
#include "sandboxd/sandbox/seccomp_filter.h"
#include "tests/lib/table.h"

#define V1   "8:pids:/user\n4:cpu,cpuacct:/a b\n3:memory:/x:y\n1:name=systemd:/\n0::/init\n"
#define V2   "0::/user.slice/user-1000.slice/user@1000.service/app.slice\n"
#define BARE "0::/\n"

static struct row {
    const char *name, *text, *controller, *path;
} rows[] = {
    {"v2", V2, "", "/user.slice/user-1000.slice/user@1000.service/app.slice"},
    {"v2 at the root", BARE, "", "/"},
    {"v2 beside v1", V1, "", "/init"},
    {"v1", V1, "pids", "/user"},
    {"two in one tree, a blank", V1, "cpuacct", "/a b"},
    {"a colon in the path", V1, "memory", "/x:y"},
    {"not a part of a name", V1, "cpu", "/a b"},
    {"a name that begins alike", "2:cpuset:/c\n", "cpu", ""},
    {"there is none", V2, "memory", ""},
    {"nothing", "", "", ""},
    {"half a line", "0:", "", ""},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct str path = cgroup_path(str_of(r->text), r->controller);

    assert_int_equal(path.n, strlen(r->path));
    assert_true(str_is(path, r->path));
}

static void levels(void **state)
{
    static const struct {
        const char *name;
        uint32_t has, lacks;
    } all[] = {
        {"none", 0, ~0U},
        {"weak", MECH_SECCOMP | MECH_FENCE | MECH_LIMITS, MECH_NAMESPACES | MECH_NETWORK},
        {"medium", MECH_SECCOMP | MECH_NAMESPACES | MECH_LIMITS, MECH_NETWORK},
        {"strong", MECH_SECCOMP | MECH_NAMESPACES | MECH_LIMITS | MECH_NETWORK, 0},
    };
    enum isolation_level level = ISOLATION_LEVELS;

    (void)state;
    for (size_t i = 0; i < COUNTOF(all); i++) {
        assert_true(isolation_parse(all[i].name, &level));
        assert_int_equal(level, i);
        assert_string_equal(isolation_name(level), all[i].name);
        assert_int_equal(isolation_mechanisms(level) & all[i].has, all[i].has);
        assert_int_equal(isolation_mechanisms(level) & all[i].lacks, 0);
    }
    assert_false(isolation_parse("Strong", &level));
    assert_false(isolation_parse("", &level));
}

/* struct sock_filter is 8 bytes, and the kernel takes 4096 of them. */
static void filter(void **state)
{
    AUTO_BUF b = BUF_INIT(SECCOMP_FILTER_MAX);
    struct err e = ERR_INIT;

    (void)state;
    assert_string_equal(err_name(seccomp_filter_make(&b, &e)), "OK");
    assert_true(b.len > 0 && b.len % 8 == 0 && b.len / 8 <= 4096);
}

int main(void)
{
    static const struct CMUnitTest more[] = {cmocka_unit_test(levels), cmocka_unit_test(filter)};
    int failed = TABLE_RUN("isolation", rows, check);

    return failed + cmocka_run_group_tests_name("isolation", more, NULL, NULL);
}

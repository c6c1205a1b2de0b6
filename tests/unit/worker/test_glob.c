/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a glob names what people expect of it, and nothing else, whatever it is made of. Proof:
 * its regular expression, compiled, against paths as find(1) sees them. */
#include <regex.h>
#include <string.h>

#include "tests/lib/table.h"
#include "worker/artifact/collect.h"
#include "worker/artifact/glob.h"
#include "common/banned.h"

static struct row {
    const char *name, *glob;
    const char *yes[4], *no[4];
} rows[] = {
    {"a file", "a.txt", {"./a.txt"}, {"./axtxt", "./b/a.txt", "./a.txt2", "./a.tx"}},
    {"a folder is all that is in it", "out", {"./out/a", "./out/b/c"}, {"./outer/a", "./x/out"}},
    {"a star stays in a name", "out/*.csv", {"./out/a.csv", "./out/.csv"}, {"./out/b/a.csv"}},
    {"a star matches folders, too", "o*", {"./out/a", "./o"}, {"./x/o"}},
    {"two stars are any folders", "out/**/a", {"./out/a", "./out/b/a", "./out/b/c/a"}, {"./outa"}},
    {"in front", "**/a", {"./a", "./b/a"}, {"./ba"}},
    {"behind", "out/**", {"./out/a", "./out/b/c"}, {"./outer/a", "./out2"}},
    {"everything", "**", {"./a", "./a/b", "./.x"}, {NULL}},
    {"within a name they are one", "a**b", {"./ab", "./axb"}, {"./a/b"}},
    {"three are one", "***", {"./a"}, {NULL}},
    {"a question mark", "a?", {"./ab"}, {"./a", "./abc", "./a/"}},
    {"what is special elsewhere",
     "a+(b)[c]{1}^$|\\.",
     {"./a+(b)[c]{1}^$|\\."},
     {"./aa(b)c1", "./ab"}},
    {"a dash", "-rf", {"./-rf"}, {"./rf"}},
};

static bool matches(const regex_t *re, const char *path)
{
    regmatch_t m;

    return regexec(re, path, 1, &m, 0) == 0 && m.rm_so == 0 && (size_t)m.rm_eo == strlen(path);
}

static void check(void **state)
{
    const struct row *row = *state;
    AUTO_BUF regex = BUF_INIT(4096), whole = BUF_INIT(4200);
    regex_t re;

    glob_regex(str_of(row->glob), &regex);
    buf_addf(&whole, "^(%s)$", regex.p); /* find looks at all of a path */
    assert_int_equal(regcomp(&re, whole.p, REG_EXTENDED), 0);
    for (size_t i = 0; i < COUNTOF(row->yes) && row->yes[i]; i++)
        if (!matches(&re, row->yes[i]))
            fail_msg("%s does not match %s", whole.p, row->yes[i]);
    for (size_t i = 0; i < COUNTOF(row->no) && row->no[i]; i++)
        if (matches(&re, row->no[i]))
            fail_msg("%s matches %s", whole.p, row->no[i]);
    regfree(&re);
}

/* A tenant may be called as he likes; a key leads nowhere else. */
static void a_key_stays_in_the_store(void **state)
{
    AUTO_BUF plain = BUF_INIT(STORE_KEY_MAX + 1), odd = BUF_INIT(STORE_KEY_MAX + 1);

    (void)state;
    collect_key("acme", "0197a0b4-0000-7000-8000-000000000001", 2, "output.ndjson", &plain);
    assert_string_equal(plain.p, "acme/0197a0b4-0000-7000-8000-000000000001/2/output.ndjson");
    collect_key("../a@b:c+d", "0197a0b4-0000-7000-8000-000000000001", 1, "artifacts.tar.gz", &odd);
    assert_string_equal(odd.p, "=2E=2E=2Fa=40b=3Ac=2Bd/0197a0b4-0000-7000-8000-000000000001/1/"
                               "artifacts.tar.gz");
    assert_true(store_key_ok(odd.p));
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(a_key_stays_in_the_store)};

    return TABLE_RUN("glob", rows, check) +
           cmocka_run_group_tests_name("artifact keys", others, NULL, NULL);
}

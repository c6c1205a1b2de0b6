/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a list is filtered by of metadata is read out of the query whole or refused, and is
 * asked of Postgres as it was typed, the same ones as the same text, whatever they hold.
 * Proof: a table of queries with the text that Postgres gets, or with what is wrong. */
#include "tests/lib/table.h"

#include <string.h>

#include "api/reads/labels.h"
#include "common/attrs.h"

#include "common/banned.h"

#define S16       "0123456789abcdef"
#define S128      S16 S16 S16 S16 S16 S16 S16 S16
#define E16       "éééééééééééééééé"
#define E128      E16 E16 E16 E16 E16 E16 E16 E16
#define BAD_KEY   "is key=value, with a key of 1 to 128 characters"
#define BAD_VALUE "is key=value, with a value of at most 256 characters"
#define TOO_MANY  "may come at most 8 times"

// clang-format off
static struct row {
    const char *name;
    struct str asked[10];
    const char *text, *wrong;
    bool tags;
} rows[] = {
    {"none", {{NULL, 0}}, "{}", NULL, false},
    {"one", {STR("team=infra")}, "{\"acme 4:team=infra\"}", NULL, false},
    {"in order of their keys", {STR("b=1"), STR("a=2"), STR("ab=3"), STR("]=4")},
     "{\"acme 1:]=4\",\"acme 1:a=2\",\"acme 2:ab=3\",\"acme 1:b=1\"}", NULL, false},
    {"what Postgres' arrays quote", {STR("a\"b=c\\d,{e}\" NULL")},
     "{\"acme 3:a\\\"b=c\\\\d,{e}\\\" NULL\"}", NULL, false},
    {"an equal sign in the value", {STR("a=b=c")}, "{\"acme 1:a=b=c\"}", NULL, false},
    {"an empty value", {STR("a=")}, "{\"acme 1:a=\"}", NULL, false},
    {"controls", {STR("a\n=b\t")}, "{\"acme 2:a\n=b\t\"}", NULL, false},
    {"lengths in characters", {STR(E128 "=" E128 E128)},
     "{\"acme 128:" E128 "=" E128 E128 "\"}", NULL, false},
    {"eight of them", {STR("1="), STR("2="), STR("3="), STR("4="), STR("5="), STR("6="),
      STR("7="), STR("8="), STR("1=")},
     "{\"acme 1:1=\",\"acme 1:2=\",\"acme 1:3=\",\"acme 1:4=\",\"acme 1:5=\",\"acme 1:6=\","
     "\"acme 1:7=\",\"acme 1:8=\"}", NULL, false},
    {"nine of them", {STR("1="), STR("2="), STR("3="), STR("4="), STR("5="), STR("6="),
      STR("7="), STR("8="), STR("0=")}, NULL, TOO_MANY, false},
    {"nothing", {STR("")}, NULL, BAD_KEY, false},
    {"no equal sign", {STR("team")}, NULL, BAD_KEY, false},
    {"no key", {STR("=a")}, NULL, BAD_KEY, false},
    {"a key that is too long", {STR(S128 "x=a")}, NULL, BAD_KEY, false},
    {"a key with a NUL", {STR("a\0b=a")}, NULL, BAD_KEY, false},
    {"a key that is no UTF-8", {STR("\xff=a")}, NULL, BAD_KEY, false},
    {"a value that is too long", {STR("a=" S128 S128 "x")}, NULL, BAD_VALUE, false},
    {"a value with a NUL", {STR("a=a\0")}, NULL, BAD_VALUE, false},
    {"a value that is no UTF-8", {STR("a=\xc3")}, NULL, BAD_VALUE, false},
    {"the same twice", {STR("a=1"), STR("b=1"), STR("a=1")}, "{\"acme 1:a=1\",\"acme 1:b=1\"}",
     NULL, false},
    {"several values of one key", {STR("a=2"), STR("a="), STR("a=12"), STR("a=1")},
     "{\"acme 1:a=\",\"acme 1:a=1\",\"acme 1:a=12\",\"acme 1:a=2\"}", NULL, false},
    {"tags", {STR("b"), STR("a:1/x"), STR("b")}, "{\"acme #a:1/x\",\"acme #b\"}", NULL, true},
    {"a tag that is no name", {STR("a b")}, NULL, "is a name", true},
    {"no tag", {STR("")}, NULL, "is a name", true},
};
// clang-format on

static void check(void **state)
{
    const struct row *row = *state;
    struct labels l = {0};
    const char *wrong = NULL;
    AUTO_BUF text = BUF_INIT(4096);

    for (size_t i = 0; row->asked[i].p && !wrong; i++)
        wrong = row->tags ? labels_add_tag(&l, row->asked[i]) : labels_add(&l, row->asked[i]);
    if (row->wrong) {
        assert_non_null(wrong);
        assert_string_equal(wrong, row->wrong);
        return;
    }
    assert_null(wrong);
    labels_write(&l, "acme", &text);
    assert_string_equal(text.p, row->text);
}

int main(void)
{
    return TABLE_RUN("labels", rows, check);
}

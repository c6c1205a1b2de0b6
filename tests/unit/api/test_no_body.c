/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: nothing, white space and {} are no body, anything else is one; however it is cut. */
#include "api/intake/no_body.h"
#include "tests/lib/table.h"
#include "common/banned.h"

struct row {
    const char *name;
    struct str body;
    bool is_none;
};

static struct row rows[] = {
    {"nothing", STR(""), true},
    {"white space", STR(" \r\n\t"), true},
    {"an empty object", STR("{}"), true},
    {"an empty object with room", STR("\n { \r\n\t } \n"), true},
    {"a member", STR("{\"a\":1}"), false},
    {"two objects", STR("{}{}"), false},
    {"an object in an object", STR("{{}}"), false},
    {"without an end", STR("{ "), false},
    {"an end alone", STR("}"), false},
    {"null", STR("null"), false},
    {"an array", STR("[]"), false},
    {"a NUL", STR("\0"), false},
    {"a form", STR("a=b"), false},
};

static bool is_none(struct str body, size_t cut)
{
    struct no_body b = {0};

    return no_body_take(&b, (struct str){body.p, cut}) &&
           no_body_take(&b, (struct str){body.p + cut, body.n - cut}) && no_body_is_whole(&b);
}

static void check(void **state)
{
    const struct row *r = *state;

    for (size_t cut = 0; cut <= r->body.n; cut++)
        assert_int_equal(is_none(r->body, cut), r->is_none);
}

int main(void)
{
    return TABLE_RUN("no body", rows, check);
}

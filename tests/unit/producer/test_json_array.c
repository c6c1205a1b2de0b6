/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a list's elements are passed on as they came. Proof: arrays as rows. */
#include "producer/api/json_array.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *text, *want; /* elements, each in <> */
} rows[] = {
    {"none", "[]", ""},
    {"none, with spaces", " [ \n ]", ""},
    {"numbers", "[1, 2.50 ,3]", "<1><2.50><3>"},
    {"nested", "[{\"a\":[1,2],\"b\":{}},[3,[4]]]", "<{\"a\":[1,2],\"b\":{}}><[3,[4]]>"},
    {"strings", "[\"a,b]\",\"\\\"],\",\"\\\\\"]", "<\"a,b]\"><\"\\\"],\"><\"\\\\\">"},
    {"no array", "{\"a\":1}", ""},
    {"nothing", "", ""},
    {"cut", "[1,{\"a\":\"b", "<1><{\"a\":\"b>"},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct str rest = str_of(row->text), e;
    AUTO_BUF got = BUF_INIT(4096);

    while (json_array_next(&rest, &e))
        buf_addf(&got, "<" STR_FMT ">", STR_ARG(e));
    assert_string_equal(got.p ? got.p : "", row->want);
}

int main(void)
{
    return TABLE_RUN("json_array", rows, check);
}

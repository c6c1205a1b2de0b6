/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what is no origin, as a browser sends one, is refused when the server starts. */
#include "tests/lib/table.h"

#include "api/auth/cors.h"
#include "common/banned.h"

static struct row {
    const char *name, *text;
    bool good;
} rows[] = {
    {"any", "*", true},
    {"https", "https://app.example.com", true},
    {"a port", "http://localhost:5173", true},
    {"an address", "http://[::1]:8080", true},
    {"nothing", "", false},
    {"null, which any page can be", "null", false},
    {"a slash behind it", "https://app.example.com/", false},
    {"a path", "https://app.example.com/x", false},
    {"no scheme", "app.example.com", false},
    {"another scheme", "file://x", false},
    {"no host", "https://", false},
    {"a pattern in it", "https://a b", false},
    {"two", "https://a,https://b", false},
    {"a user", "https://me@a", false},
    {"a line's end", "https://a\r\nX: y", false},
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_int_equal(cors_origin_ok(str_of(r->text)), r->good);
}

int main(void)
{
    return TABLE_RUN("cors", rows, check);
}

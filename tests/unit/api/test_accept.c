/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the closest range of an Accept header decides, and nonsense in it does no harm. */
#include "api/accept.h"
#include "common/attrs.h"
#include "tests/lib/table.h"

#define SSE  "text/event-stream"
#define JSON "application/json"

static struct row {
    const char *name, *header;
    int json, sse;
} rows[] = {
    {"no header", NULL, 1000, 1000},
    {"an empty one", "", 1000, 1000},
    {"all", "*/*", 1000, 1000},
    {"one type", SSE, 0, 1000},
    {"the other", JSON, 1000, 0},
    {"neither", "text/html", 0, 0},
    {"a family", "text/*", 0, 1000},
    {"weights", JSON ";q=0.5, " SSE ";q=0.25", 500, 250},
    {"refused", JSON ";q=0, */*", 0, 1000},
    {"the closest counts", "*/*;q=0.1, text/*;q=0.2, " SSE ";q=0.3", 100, 300},
    {"in any order", SSE ";q=0.3, */*;q=0.9", 900, 300},
    {"blanks, cases, parameters", " Text/Event-Stream ; charset=utf-8 ; Q=0.125 ,,", 0, 125},
    {"a browser's", "text/html,application/xhtml+xml,*/*;q=0.8", 800, 800},
    {"no number", JSON ";q=much", 1000, 0},
    {"too much", JSON ";q=9", 1000, 0},
    {"a name that only begins so", "application/json-patch", 0, 0},
    {"no range", "json", 0, 0},
};

static void check(void **state)
{
    const struct row *r = *state;

    assert_int_equal(accept_quality(r->header, JSON), r->json);
    assert_int_equal(accept_quality(r->header, SSE), r->sse);
}

int main(void)
{
    return TABLE_RUN("accept", rows, check);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which row of a route table answers a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/route.h"
#include "common/attrs.h"
#include "common/banned.h"

static void handler(struct call *c)
{
    (void)c;
}

static const struct route table[] = {
    ROUTE("GET", "/v1/runs", READ, handler),
    ROUTE("POST", "/v1/runs", SUBMIT, handler, .body_max = 100),
    ROUTE("GET", "/v1/runs/{}", READ, handler),
    ROUTE("GET", "/v1/runs/{}/attempts/{}", READ, handler),
    ROUTE("DELETE", "/v1/sessions/{}", ADMIN, handler),
    ROUTE("GET", "/v1/dlq/{}", ADMIN, handler),
    ROUTE("POST", "/v1/dlq/purge", ADMIN, handler),
};

static struct row {
    const char *method, *path;
    int row; /* of the table; -1: none */
    const char *allowed, *first, *second;
} rows[] = {
    {"GET", "/v1/runs", 0, "GET, HEAD, POST, OPTIONS", NULL, NULL},
    {"HEAD", "/v1/runs", 0, "GET, HEAD, POST, OPTIONS", NULL, NULL},
    {"POST", "/v1/runs", 1, "GET, HEAD, POST, OPTIONS", NULL, NULL},
    {"PUT", "/v1/runs", -1, "GET, HEAD, POST, OPTIONS", NULL, NULL},
    {"GET", "/v1/runs/", -1, "", NULL, NULL},
    {"GET", "/v1/runs/a", 2, "GET, HEAD, OPTIONS", "a", NULL},
    {"GET", "/v1/runs/a%2Fb", 2, "GET, HEAD, OPTIONS", "a%2Fb", NULL},
    {"GET", "/v1/runs/a/", -1, "", NULL, NULL},
    {"GET", "/v1/runs/a/attempts/2", 3, "GET, HEAD, OPTIONS", "a", "2"},
    {"GET", "/v1/runs/a/attempts", -1, "", NULL, NULL},
    {"GET", "/v1/runs//attempts/2", -1, "", NULL, NULL},
    {"DELETE", "/v1/sessions/s", 4, "DELETE, OPTIONS", "s", NULL},
    {"GET", "/v1/sessions/s", -1, "DELETE, OPTIONS", NULL, NULL},
    {"GET", "/v1/dlq/purge", -1, "POST, OPTIONS", NULL, NULL},
    {"POST", "/v1/dlq/purge", 6, "POST, OPTIONS", NULL, NULL},
    {"GET", "/v1/dlq/purge1", 5, "GET, HEAD, OPTIONS", "purge1", NULL},
    {"GET", "v1/runs", -1, "", NULL, NULL},
    {"GET", "//v1/runs", -1, "", NULL, NULL},
    {"GET", "", -1, "", NULL, NULL},
    {"GET", "*", -1, "", NULL, NULL},
};

static void finds(void **state)
{
    const struct row *r = *state;
    struct route_match m;

    route_find(table, COUNTOF(table), r->method, str_of(r->path), &m);
    if (r->row < 0)
        assert_null(m.route);
    else
        assert_ptr_equal(m.route, &table[r->row]);
    assert_string_equal(m.allowed, r->allowed);
    assert_true(str_is(m.param[0], r->first ? r->first : ""));
    assert_true(str_is(m.param[1], r->second ? r->second : ""));
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].path, .test_func = finds, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}

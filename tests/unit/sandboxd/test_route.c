/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each request reaches one handler, and one that names a sandbox by halves is refused.
 * Proof: the server's own table walked by method and path; every form of routing header. */
#include <stdio.h>
#include <string.h>

#include "sandboxd/server.h"
#include "tests/lib/table.h"

#define ID "i0123456789abcdefghij"

static struct row {
    const char *name;
    enum plane plane;
    const char *method, *path, *pattern, *param; /* pattern NULL: none; "405": another method */
} rows[] = {
    {"create", PLANE_CONTROL, "POST", "/v2/sandboxes", "/v2/sandboxes", ""},
    {"detail", PLANE_CONTROL, "GET", "/sandboxes/" ID, "/sandboxes/{}", ID},
    {"timeout", PLANE_CONTROL, "POST", "/sandboxes/x/timeout", "/sandboxes/{}/timeout", "x"},
    {"old connect", PLANE_CONTROL, "POST", "/sandboxes/x/connect", "/sandboxes/{}/connect", "x"},
    {"connect", PLANE_CONTROL, "POST", "/v2/sandboxes/x/connect", "/v2/sandboxes/{}/connect", "x"},
    {"empty segment", PLANE_CONTROL, "GET", "/sandboxes/", NULL, ""},
    {"longer", PLANE_CONTROL, "GET", "/sandboxes/x/y/z", NULL, ""},
    {"other method", PLANE_CONTROL, "PUT", "/sandboxes/x", "405", ""},
    {"envd path outside", PLANE_CONTROL, "POST", "/process.Process/Start", NULL, ""},
    {"start", PLANE_ENVD, "POST", "/process.Process/Start", "/process.Process/Start", ""},
    {"start by GET", PLANE_ENVD, "GET", "/process.Process/Start", "405", ""},
    {"files down", PLANE_ENVD, "GET", "/files", "/files", ""},
    {"no slash", PLANE_ENVD, "GET", "files", NULL, ""},
    {"empty", PLANE_ENVD, "GET", "", NULL, ""},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct route_match m;
    bool found =
        route_find(server_routes, server_n_routes, r->plane, r->method, str_of(r->path), &m);
    bool other = r->pattern != NULL && strcmp(r->pattern, "405") == 0;

    assert_int_equal(found, r->pattern != NULL && !other);
    assert_int_equal(m.other_method, other);
    if (found) {
        assert_string_equal(m.route->path, r->pattern);
        assert_true(str_is(m.param, r->param));
    }
}

static void targets(void **state)
{
    static const struct {
        const char *host, *id, *port;
        enum routed want;
    } cases[] = {
        {"127.0.0.1:3000", NULL, NULL, ROUTED_CONTROL},
        {NULL, NULL, NULL, ROUTED_CONTROL},
        {"localhost", ID, "49983", ROUTED_SANDBOX},
        {"sandbox.example.org", ID, "49983", ROUTED_SANDBOX},
        {"127.0.0.1:3000", ID, "49983", ROUTED_SANDBOX},
        {"49983-" ID ".example.org", NULL, NULL, ROUTED_SANDBOX},
        {"49983-" ID ".example.org:80", "i1", "1", ROUTED_SANDBOX}, /* the host goes first */
        {"49983-i0123.example.org", NULL, NULL, ROUTED_BAD_HOST},
        {"49983-i0123.example.org", ID, "49983", ROUTED_BAD_HOST},
        {"10-0-0-1.example.org", NULL, NULL, ROUTED_CONTROL},
        {"0-" ID ".example.org", NULL, NULL, ROUTED_CONTROL},
        {"localhost", ID "-client", "49983", ROUTED_SANDBOX},
        {"49983-" ID ".example.org", NULL, NULL, ROUTED_SANDBOX},
        {"49983-" ID, NULL, NULL, ROUTED_CONTROL},
        {"localhost", ID, NULL, ROUTED_HALF},
        {"localhost", NULL, "49983", ROUTED_HALF},
        {"localhost", "i0123", "49983", ROUTED_BAD_ID},
        {"localhost", "../../etc/passwd", "49983", ROUTED_BAD_ID},
        {"localhost", "I0123456789ABCDEFGHIJ", "49983", ROUTED_BAD_ID},
        {"localhost", ID, "", ROUTED_BAD_PORT},
        {"localhost", ID, "0", ROUTED_BAD_PORT},
        {"localhost", ID, "65536", ROUTED_BAD_PORT},
        {"localhost", ID, "49983x", ROUTED_BAD_PORT},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str id;
        int port = 0;
        enum routed got = route_target(cases[i].host, cases[i].id, cases[i].port, &id, &port);

        assert_int_equal(got, cases[i].want);
        if (got == ROUTED_SANDBOX) {
            assert_true(str_is(id, ID));
            assert_int_equal(port, 49983);
        }
        if (got != ROUTED_SANDBOX && got != ROUTED_CONTROL)
            assert_true(route_refusal(got)[0] != '\0');
    }
}

static void only_health_is_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < server_n_routes; i++)
        if ((server_routes[i].flags & ROUTE_OPEN) && server_routes[i].handler != handle_not_here)
            assert_string_equal(server_routes[i].path, "/health");
}

static void only_files_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < server_n_routes; i++)
        if (server_routes[i].flags & ROUTE_SIGNED)
            assert_string_equal(server_routes[i].path, "/files");
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(only_health_is_open),
        cmocka_unit_test(only_files_are_signed),
    };
    int failed = TABLE_RUN("route table", rows, check);

    return failed + cmocka_run_group_tests_name("route", more, NULL, NULL);
}

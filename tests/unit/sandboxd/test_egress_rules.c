/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a sandbox may reach is what its network object says, and a rule's headers are
 * for that host alone. Proof: a table of objects, hosts and addresses; of objects refused. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/egress/rules.h"
#include "tests/lib/table.h"

#define ALL "\"denyOut\":[\"0.0.0.0/0\"]"

static struct row {
    const char *name, *network;
    bool offline;
    const char *host, *address;
    bool named, denied;
} rows[] = {
    {"nothing written", NULL, false, "a.org", "8.8.8.8", false, false},
    {"no internet", NULL, true, "a.org", "8.8.8.8", false, true},
    {"no internet, IPv6", NULL, true, "a.org", "2606::1", false, true},
    {"denied network", "{\"denyOut\":[\"8.8.0.0/16\"]}", false, "a.org", "8.8.8.8", false, true},
    {"beside it", "{\"denyOut\":[\"8.8.0.0/16\"]}", false, "a.org", "8.9.8.8", false, false},
    {"all denied means IPv6, too", "{" ALL "}", false, "a.org", "2606::1", false, true},
    {"a host", "{\"allowOut\":[\"a.org\"]," ALL "}", false, "a.org", "8.8.8.8", true, true},
    {"in any case", "{\"allowOut\":[\"a.org\"]," ALL "}", false, "A.oRg", "8.8.8.8", true, true},
    {"another host", "{\"allowOut\":[\"a.org\"]," ALL "}", false, "b.org", "8.8.8.8", false, true},
    {"its end is not it", "{\"allowOut\":[\"a.org\"]}", false, "xa.org", "8.8.8.8", false, false},
    {"any below", "{\"allowOut\":[\"*.a.org\"]," ALL "}", false, "x.a.org", "8.8.8.8", true, true},
    {"not the top", "{\"allowOut\":[\"*.a.org\"]," ALL "}", false, "a.org", "8.8.8.8", false, true},
    {"allowed wins", "{\"allowOut\":[\"8.8.8.8\"]," ALL "}", false, "x", "8.8.8.8", false, false},
    {"allowed offline", "{\"allowOut\":[\"8.8.8.8\"]}", true, "x", "8.8.8.8", false, false},
};

static struct egress_rules *read(const char *network, bool internet, enum err_code *rc)
{
    AUTO_JSON *tree = network != NULL ? cJSON_Parse(network) : NULL;
    struct egress_rules *out = NULL;
    struct err e = ERR_INIT;

    *rc = egress_rules_new(tree, internet, &out, &e);
    return out;
}

static void check(void **state)
{
    const struct row *r = *state;
    enum err_code rc;
    struct egress_rules *rules = read(r->network, !r->offline, &rc);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool four = inet_pton(AF_INET, r->address, &in.sin_addr) == 1;

    assert_int_equal(rc, ERR_OK);
    if (!four)
        assert_int_equal(inet_pton(AF_INET6, r->address, &in6.sin6_addr), 1);
    assert_int_equal(egress_names(rules, str_of(r->host)), r->named);
    assert_int_equal(
        egress_denies(rules, four ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6),
        r->denied);
    egress_rules_free(rules);
}

static void refused(void **state)
{
    static const char *const bad[] = {
        "{\"allowOut\":1}",
        "{\"allowOut\":[1]}",
        "{\"allowOut\":[\"a b\"]}",
        "{\"allowOut\":[\"a.*.org\"]}",
        "{\"denyOut\":[\"a.org\"]}",
        "{\"denyOut\":[\"10.0.0.0/40\"]}",
        "{\"rules\":[]}",
        "{\"rules\":{\"a.org\":{}}}",
        "{\"rules\":{\"a b\":[]}}",
        "{\"rules\":{\"a.org\":[{\"transform\":{}}]}}",
        "{\"rules\":{\"a.org\":[{\"transform\":{\"headers\":{\"x y\":\"v\"}}}]}}",
        "{\"rules\":{\"a.org\":[{\"transform\":{\"headers\":{\"x\":\"a\\r\\nb: c\"}}}]}}",
        "{\"rules\":{\"a.org\":[{\"transform\":{\"headers\":{\"x\":1}}}]}}",
    };
    enum err_code rc;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(read(bad[i], true, &rc));
        if (rc != ERR_INVALID)
            fail_msg("%s: %s", bad[i], err_name(rc));
    }
}

static void headers_are_for_their_host(void **state)
{
    static const char text[] =
        "{\"rules\":{\"api.a.org\":[{\"transform\":{\"headers\":{\"x-api-key\":\"k\",\"b\":\"1\"}}}"
        ","
        "{\"transform\":{\"headers\":{\"b\":\"2\"}}}],\"*.c.org\":[{\"transform\":"
        "{\"headers\":{\"c\":\"3\"}}}]}}";
    struct egress_header h[EGRESS_HEADERS_MAX];
    enum err_code rc;
    struct egress_rules *r = read(text, true, &rc);

    (void)state;
    assert_int_equal(rc, ERR_OK);
    assert_int_equal(egress_headers(r, STR("API.a.org"), h), 2);
    assert_string_equal(h[0].name, "x-api-key");
    assert_string_equal(h[0].value, "k");
    assert_string_equal(h[1].value, "2");
    assert_int_equal(egress_headers(r, STR("x.c.org"), h), 1);
    assert_int_equal(egress_headers(r, STR("a.org"), h), 0);
    assert_int_equal(egress_headers(r, STR("api.a.org.evil"), h), 0);
    egress_rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused),
                                       cmocka_unit_test(headers_are_for_their_host)};

    return TABLE_RUN("egress", rows, check) +
           cmocka_run_group_tests_name("egress rules", tests, NULL, NULL);
}

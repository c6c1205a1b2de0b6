/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the proxy reads a request as the origin will, and no header of the sandbox's stands
 * in the place of a rule's. Proof: a table of heads and what becomes of them. */
#include <string.h>

#include "sandboxd/egress/head.h"
#include "tests/lib/table.h"

#define END "\r\n\r\n"

static struct row {
    const char *name, *bytes;
    enum egress_step want;
    bool connect;
    const char *host;
    int port;
    const char *path;
} rows[] = {
    {"tunnel", "CONNECT a.org:443 HTTP/1.1" END, EGRESS_HEAD, true, "a.org", 443, ""},
    {"tunnel, IPv6", "CONNECT [::1]:443 HTTP/1.1" END, EGRESS_HEAD, true, "::1", 443, ""},
    {"tunnel without port", "CONNECT a.org HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"tunnel to port 0", "CONNECT a.org:0 HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"port beyond", "CONNECT a.org:65536 HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"URL", "GET http://a.org/x?y=1 HTTP/1.1" END, EGRESS_HEAD, false, "a.org", 80, "/x?y=1"},
    {"URL with port", "GET http://a.org:8080 HTTP/1.0" END, EGRESS_HEAD, false, "a.org", 8080, "/"},
    {"URL, IPv6", "GET http://[::1]/ HTTP/1.1" END, EGRESS_HEAD, false, "::1", 80, "/"},
    {"origin form", "GET /x HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"another scheme", "GET ftp://a.org/ HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"user in the URL", "GET http://u:p@a.org/ HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"no host", "GET http:///x HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"odd host", "CONNECT a?b:443 HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"colons in a name", "CONNECT a:b:443 HTTP/1.1" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"HTTP/2", "GET http://a.org/ HTTP/2" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"four words", "GET http://a.org/ HTTP/1.1 x" END, EGRESS_BAD, false, NULL, 0, NULL},
    {"line feed in a field", "GET http://a.org/ HTTP/1.1\r\nA: b\nHost: c.org" END, EGRESS_BAD,
     false, NULL, 0, NULL},
    {"return in a field", "GET http://a.org/ HTTP/1.1\r\nA: b\rHost: c.org" END, EGRESS_BAD, false,
     NULL, 0, NULL},
    {"tab in a field", "GET http://a.org/ HTTP/1.1\r\nA:\tb" END, EGRESS_HEAD, false, "a.org", 80,
     "/"},
    {"half", "GET http://a.org/ HTTP/1.1\r\nA: b\r\n", EGRESS_MORE, false, NULL, 0, NULL},
    {"nothing", "", EGRESS_MORE, false, NULL, 0, NULL},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct egress_head h;

    assert_int_equal(egress_head_parse(str_of(r->bytes), &h), r->want);
    if (r->want != EGRESS_HEAD)
        return;
    assert_int_equal(h.connect, r->connect);
    assert_true(str_is(h.host, r->host));
    assert_int_equal(h.port, r->port);
    assert_true(str_is(h.path, r->path));
    assert_int_equal(h.bytes, strlen(r->bytes));
}

static void a_head_without_end_has_a_ceiling(void **state)
{
    static char bytes[EGRESS_HEAD_MAX];
    struct egress_head h;

    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    assert_int_equal(egress_head_parse((struct str){bytes, sizeof(bytes) - 1}, &h), EGRESS_MORE);
    assert_int_equal(egress_head_parse((struct str){bytes, sizeof(bytes)}, &h), EGRESS_BAD);
}

static void written(void **state)
{
    static const char in[] = "POST http://a.org:8080/v1?q=%20 HTTP/1.1\r\nHost: evil.org\r\n"
                             "X-API-Key : mine\r\nx-api-key: too\r\nProxy-Authorization: p\r\n"
                             "Proxy-Connection: keep-alive\r\nConnection: x-y, upgrade\r\n"
                             "Content-Length: 3\r\n folded\r\nAccept: */*\r\n\r\nabc";
    static const struct egress_header add[] = {{"X-Api-Key", "rule's"}};
    struct egress_head h;
    AUTO_BUF out = BUF_INIT(4096);

    (void)state;
    assert_int_equal(egress_head_parse(str_of(in), &h), EGRESS_HEAD);
    assert_string_equal(in + h.bytes, "abc");
    egress_head_write(&h, add, 1, &out);
    assert_string_equal(out.p, "POST /v1?q=%20 HTTP/1.1\r\nHost: a.org:8080\r\n"
                               "Content-Length: 3\r\nAccept: */*\r\nX-Api-Key: rule's\r\n"
                               "Connection: close\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_head_without_end_has_a_ceiling),
                                       cmocka_unit_test(written)};

    return TABLE_RUN("head", rows, check) +
           cmocka_run_group_tests_name("egress head", tests, NULL, NULL);
}

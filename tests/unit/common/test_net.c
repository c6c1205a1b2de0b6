/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an address that is not public is known as such in every form it can take.
 * Proof: a table of addresses at both ends of each network, and of texts that are none. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/net.h"
#include "tests/lib/table.h"

static bool address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof(in));
        return true;
    }
    memcpy(out, &in6, sizeof(in6));
    bool good = inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)out)->sin6_addr) == 1;
    return good;
}

static struct row {
    const char *name; /* the address */
    bool private;
} rows[] = {
    {"8.8.8.8", false},
    {"1.0.0.0", false},
    {"0.0.0.0", true},
    {"0.255.255.255", true},
    {"10.0.0.1", true},
    {"11.0.0.0", false},
    {"100.63.255.255", false},
    {"100.64.0.0", true},
    {"100.127.255.255", true},
    {"100.128.0.0", false},
    {"127.0.0.1", true},
    {"127.255.255.254", true},
    {"169.254.169.254", true},
    {"172.15.255.255", false},
    {"172.16.0.0", true},
    {"172.31.255.255", true},
    {"172.32.0.0", false},
    {"192.168.1.1", true},
    {"198.18.0.1", true},
    {"198.20.0.1", false},
    {"224.0.0.1", true},
    {"255.255.255.255", true},
    {"::", true},
    {"::1", true},
    {"::2", true},
    {"::127.0.0.1", true},
    {"::1:0:0", false},
    {"168.63.129.16", true},
    {"168.63.129.17", false},
    {"3fff::1", true},
    {"4000::1", false},
    {"5f00::1", true},
    {"::ffff:127.0.0.1", true},
    {"::ffff:8.8.8.8", false},
    {"64:ff9b::7f00:1", true},
    {"64:ff9b::808:808", false},
    {"2002:7f00:1::", true},
    {"2002:808:808::", false},
    {"2001:0:1::", true},
    {"2001:4860:4860::8888", false},
    {"2001:db8::1", true},
    {"fc00::1", true},
    {"fdff::1", true},
    {"fe80::1", true},
    {"febf::1", true},
    {"fec0::1", true},
    {"ff02::1", true},
    {"2606:4700::1", false},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct sockaddr_storage a;

    assert_true(address(r->name, &a));
    assert_int_equal(net_private((const struct sockaddr *)&a), r->private);
}

static void other_families_are_private(void **state)
{
    const struct sockaddr a = {.sa_family = AF_UNIX};

    (void)state;
    assert_true(net_private(&a));
    assert_int_equal(net_port(&a), 0);
}

static void networks(void **state)
{
    static const struct {
        const char *net, *address;
        int want; /* -1: no network */
    } cases[] = {
        {"10.1.0.0/16", "10.1.255.255", 1},
        {"10.1.0.0/16", "10.2.0.0", 0},
        {"10.1.2.3", "10.1.2.3", 1},
        {"10.1.2.3", "10.1.2.4", 0},
        {"0.0.0.0/0", "8.8.8.8", 1},
        {"0.0.0.0/0", "2606::1", 0},
        {"::/0", "2606::1", 1},
        {"fd00::/9", "fd7f::1", 1},
        {"fd00::/9", "fd80::1", 0},
        {"10.0.0.0/33", "", -1},
        {"::/129", "", -1},
        {"10.0.0.0/", "", -1},
        {"10.0.0.0/+8", "", -1},
        {"10.0.0/8", "", -1},
        {"010.0.0.1", "", -1},
        {"", "", -1},
        {"/8", "", -1},
        {"example.org", "", -1},
        {"::ffff:10.0.0.0/104", "10.9.9.9", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_storage a;
        struct net n;
        bool good = net_parse(str_of(cases[i].net), &n);

        if (good != (cases[i].want >= 0))
            fail_msg("'%s'", cases[i].net);
        if (good && (!address(cases[i].address, &a) ||
                     net_has(&n, (const struct sockaddr *)&a) != (cases[i].want == 1)))
            fail_msg("'%s' and '%s'", cases[i].net, cases[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(other_families_are_private),
                                       cmocka_unit_test(networks)};

    return TABLE_RUN("private", rows, check) +
           cmocka_run_group_tests_name("net", tests, NULL, NULL);
}

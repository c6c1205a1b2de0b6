/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a delivery goes to no address that is not public, in whatever form it comes, unless its
 * network was named; naming one opens no other.
 * Proof: the same addresses with no network named, and with some. (common/net.h has the table of
 * all networks; here are those that attacks go for.) */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/table.h"
#include "webhook/guard.h"

static struct row {
    const char *name; /* the address */
    bool alone, named;
} rows[] = {
    {"8.8.8.8", true, true},
    {"2606:4700::1111", true, true},
    {"127.0.0.1", false, true},
    {"127.0.0.2", false, false},
    {"::1", false, false},
    {"::ffff:127.0.0.1", false, true}, /* the same address */
    {"::ffff:127.0.0.2", false, false},
    {"::127.0.0.1", false, false}, /* IPv4-compatible, out of use */
    {"0.0.0.0", false, false},
    {"::", false, false},
    {"10.1.2.3", false, true},
    {"10.2.0.1", false, false},
    {"172.16.0.1", false, false},
    {"192.168.0.1", false, false},
    {"100.64.0.1", false, false},
    {"100.100.100.200", false, false}, /* a cloud's metadata */
    {"169.254.169.254", false, false}, /* others' */
    {"::ffff:169.254.169.254", false, false},
    {"64:ff9b::a9fe:a9fe", false, false}, /* the same through NAT64 */
    {"2002:a9fe:a9fe::1", false, false},  /* and 6to4 */
    {"fd00:ec2::254", false, true},
    {"fd12::1", false, true},
    {"fe80::1", false, false},
    {"168.63.129.16", false, false}, /* a cloud's own, though a public number */
    {"192.0.0.192", false, false},
    {"224.0.0.1", false, false},
    {"255.255.255.255", false, false},
};

static void address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof(in));
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    memcpy(out, &in6, sizeof(in6));
}

static void check(void **state)
{
    const struct row *r = *state;
    char *words[] = {(char[]){"127.0.0.1"}, (char[]){"10.1.0.0/16"}, (char[]){"fd00::/8"}};
    struct guard alone = {0}, named = {0};
    struct err err = ERR_INIT;
    struct sockaddr_storage a;

    address(r->name, &a);
    assert_int_equal(guard_read(&named, &(struct opt_list){words, COUNTOF(words)}, &err), ERR_OK);
    assert_int_equal(guard_allows(&alone, (const struct sockaddr *)&a), r->alone);
    assert_int_equal(guard_allows(&named, (const struct sockaddr *)&a), r->named);
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const bad[] = {"", "host", "10.0.0.0/33", "10.0.0.0/8,", "::/129", "127.1"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        char word[32] = "";
        char *words[] = {word};
        struct guard g = {0};
        struct err err = ERR_INIT;

        memcpy(word, bad[i], strlen(bad[i]));
        assert_string_equal(err_name(guard_read(&g, &(struct opt_list){words, 1}, &err)), "USAGE");
    }
}

static void too_many_are_refused(void **state)
{
    char word[] = "10.0.0.1", *words[GUARD_NETS + 1];
    struct guard g = {0};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNTOF(words); i++)
        words[i] = word;
    assert_string_equal(err_name(guard_read(&g, &(struct opt_list){words, GUARD_NETS}, &err)),
                        "OK");
    assert_string_equal(err_name(guard_read(&g, &(struct opt_list){words, GUARD_NETS + 1}, &err)),
                        "USAGE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_no_network_is_refused),
                                       cmocka_unit_test(too_many_are_refused)};

    return TABLE_RUN("guard", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}

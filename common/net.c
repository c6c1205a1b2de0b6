/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/banned.h"

enum { V4_BITS = 96, TEXT_MAX = 64 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* What the registries of special-purpose addresses (RFC 6890 and its updates) say is not public;
 * the IPv6 form of IPv4 addresses that RFC 4291 gave up (::/96); and 168.63.129.16, a public number
 * at which each machine of one cloud finds the host below it. */
static const char *const private_nets[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "::/96",         "168.63.129.16",   "100::/64",       "2001::/32",      "2001:db8::/32",
    "3fff::/20",     "5f00::/16",       "fc00::/7",       "fe80::/10",      "fec0::/10",
    "ff00::/8",
};

/* Where an IPv6 address may carry an IPv4 one, and from which byte on. */
static const struct {
    const char *net;
    size_t at;
} carriers[] = {{"64:ff9b::/96", 12}, {"64:ff9b:1::/48", 12}, {"2002::/16", 2}};

static bool parse_address(const char *text, uint8_t out[16], unsigned *width)
{
    if (inet_pton(AF_INET6, text, out) == 1) {
        *width = 128;
        return true;
    }
    memcpy(out, mapped, sizeof(mapped));
    *width = 32;
    return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

bool net_parse(struct str s, struct net *out)
{
    struct str rest = s, address = {0};
    char text[TEXT_MAX];
    unsigned width = 0;
    int64_t bits;

    if (!str_next(&rest, '/', &address) || address.n == 0 || address.n >= sizeof(text) ||
        memchr(address.p, '\0', address.n))
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    if (!parse_address(text, out->addr, &width))
        return false;
    bits = width;
    if (address.n < s.n &&
        !str_int((struct str){s.p + address.n + 1, s.n - address.n - 1}, width, &bits))
        return false;
    out->bits = (unsigned)bits + (128 - width);
    return true;
}

static bool in_net(const struct net *n, const uint8_t addr[16])
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (memcmp(n->addr, addr, whole) != 0)
        return false;
    return rest == 0 || (n->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

/* The 16 bytes of an address, as in struct net. False for other families. */
static bool net_address(const struct sockaddr *a, uint8_t out[16])
{
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, a, sizeof(in6));
        memcpy(out, &in6.sin6_addr, 16);
        return true;
    }
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, a, sizeof(in));
        memcpy(out, mapped, sizeof(mapped));
        memcpy(out + sizeof(mapped), &in.sin_addr, 4);
        return true;
    }
    return false;
}

int net_port(const struct sockaddr *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (a->sa_family == AF_INET) {
        memcpy(&in, a, sizeof(in));
        return ntohs(in.sin_port);
    }
    if (a->sa_family != AF_INET6)
        return 0;
    memcpy(&in6, a, sizeof(in6));
    return ntohs(in6.sin6_port);
}

bool net_has(const struct net *n, const struct sockaddr *a)
{
    uint8_t addr[16];

    return net_address(a, addr) && in_net(n, addr);
}

static bool in_text_net(const char *text, const uint8_t addr[16])
{
    struct net n;

    return net_parse(str_of(text), &n) && in_net(&n, addr);
}

static bool private_bytes(const uint8_t addr[16])
{
    for (size_t i = 0; i < COUNTOF(private_nets); i++)
        if (in_text_net(private_nets[i], addr))
            return true;
    return false;
}

bool net_private(const struct sockaddr *a)
{
    uint8_t addr[16], inner[16];

    if (!net_address(a, addr) || private_bytes(addr))
        return true;
    for (size_t i = 0; i < COUNTOF(carriers); i++) {
        if (!in_text_net(carriers[i].net, addr))
            continue;
        memcpy(inner, mapped, sizeof(mapped));
        memcpy(inner + sizeof(mapped), addr + carriers[i].at, 4);
        if (private_bytes(inner))
            return true;
    }
    return false;
}

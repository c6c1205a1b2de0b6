/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and the addresses in them, and which addresses are nobody's public ones: what a
 * stranger must not make us connect to. Pure. */
#ifndef SANDFLEET_COMMON_NET_H
#define SANDFLEET_COMMON_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/buf.h"

struct net {          /* addresses that share their first `bits` */
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;    /* 0..128; of an IPv4 network 96 more than written */
};

/* "10.0.0.0/8", "192.0.2.7", "fc00::/7", "::1". False: none of these. */
bool net_parse(struct str s, struct net *out);
bool net_has(const struct net *n, const struct sockaddr *a); /* false for other families */

/* Loopback, private, link-local, multicast, documentation and reserved ones; and those that
 * carry such an IPv4 address inside (mapped, NAT64, 6to4, Teredo). Unknown families, too. */
bool net_private(const struct sockaddr *a);

int net_port(const struct sockaddr *a); /* 0 for other families */

#endif

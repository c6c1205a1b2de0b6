/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request to the egress proxy (HTTP/1.1: CONNECT, or a whole URL), and the same
 * head as the origin is to read it. Pure. */
#ifndef SANDFLEET_SANDBOXD_EGRESS_HEAD_H
#define SANDFLEET_SANDBOXD_EGRESS_HEAD_H

#include <stdbool.h>

#include "common/buf.h"
#include "sandboxd/egress/rules.h"

enum { EGRESS_HEAD_MAX = 32 << 10, EGRESS_HOST_MAX = 253 };

struct egress_head {         /* borrowed from the bytes */
    bool connect;            /* a tunnel to host:port; else a request for path */
    struct str method, host; /* host: without the brackets of IPv6 */
    bool bracketed;          /* it had them */
    int port;                /* 80 when a URL names none */
    struct str path;         /* with its query; "/" at least */
    struct str fields;       /* the header lines, without the empty one */
    size_t bytes;            /* of the whole head: the body begins there */
};

enum egress_step { EGRESS_MORE, EGRESS_HEAD, EGRESS_BAD };

/* EGRESS_BAD: no head, or one over EGRESS_HEAD_MAX. */
enum egress_step egress_head_parse(struct str bytes, struct egress_head *out);

/* With the fields that concern only us left out, those of `add` put in their place, and
 * "Connection: close": an answer's end is then the connection's. */
void egress_head_write(const struct egress_head *h, const struct egress_header *add, size_t n,
                       struct buf *out);

#endif

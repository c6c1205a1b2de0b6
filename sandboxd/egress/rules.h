/* SPDX-License-Identifier: Apache-2.0 */
/* What one sandbox may reach outside, and which headers are added to its requests there: E2B's
 * `network` object, as the egress proxy reads it. Pure.
 *
 * A destination is allowed when allowOut names it (address, network, host or "*.domain"), else
 * unless denyOut does. Addresses of this machine and its networks are refused whatever is
 * written there, unless the server itself allows them (egress.h). */
#ifndef SANDFLEET_SANDBOXD_EGRESS_RULES_H
#define SANDFLEET_SANDBOXD_EGRESS_RULES_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"

enum { EGRESS_ENTRIES_MAX = 256, EGRESS_HEADERS_MAX = 32, EGRESS_HEADER_BYTES = 8192 };

struct egress_rules; /* opaque */

struct egress_header { /* borrowed from the rules */
    const char *name, *value;
};

/* network: {"allowOut":[…],"denyOut":[…],"rules":{"host":[{"transform":{"headers":{…}}}]}}; NULL:
 * none. internet false: nothing but allowOut. ERR_INVALID names the member at fault. */
enum err_code egress_rules_new(const cJSON *network, bool internet, struct egress_rules **out,
                               struct err *err) MUST_USE;
void egress_rules_free(struct egress_rules *r); /* wipes the headers; NULL is fine */

/* Is the host allowed by its name? Else its addresses decide. */
bool egress_names(const struct egress_rules *r, struct str host);
bool egress_denies(const struct egress_rules *r, const struct sockaddr *to);

/* The headers for a host; returns how many (0: no rule). */
size_t egress_headers(const struct egress_rules *r, struct str host,
                      struct egress_header out[EGRESS_HEADERS_MAX]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Where deliveries may go. A URL is somebody else's say, and what its name resolves to may change
 * between two looks: so the address is judged, at the moment of connecting. Nothing that is not
 * public is allowed (common/net.h), but for the networks that whoever runs this named. Pure. */
#ifndef SANDFLEET_WEBHOOK_GUARD_H
#define SANDFLEET_WEBHOOK_GUARD_H

#include "common/net.h"
#include "common/option/option.h"

enum { GUARD_NETS = 64 };

struct guard { /* zero: public addresses only */
    struct net nets[GUARD_NETS];
    size_t n;
};

/* "10.1.0.0/16", "::1". ERR_USAGE names the one that is no network, or says that there are too
 * many. */
enum err_code guard_read(struct guard *g, const struct opt_list *nets, struct err *err) MUST_USE;
bool guard_allows(const struct guard *g, const struct sockaddr *to);

#endif

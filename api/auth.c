/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"

#include <stdio.h>

#include "api/api_internal.h"
#include "common/banned.h"

static void anonymous(struct call *c)
{
    (void)snprintf(c->who.tenant, sizeof(c->who.tenant), "%s", c->api->set->anonymous);
    for (size_t p = PERMIT_PUBLIC; p < PERMISSIONS; p++)
        c->who.may[p] = true;
}

void auth_check(struct call *c, void (*next)(struct call *c))
{
    if (c->api->set->anonymous)
        anonymous(c);
    if (c->route->permission == PERMIT_PUBLIC || c->who.may[c->route->permission]) {
        next(c);
        return;
    }
    http_reply_header(c->http, "WWW-Authenticate", "Bearer");
    call_problem(c, PROBLEM_UNAUTHORIZED, "no key was given: send Authorization: Bearer sfk_…");
}

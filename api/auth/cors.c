/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/cors.h"

#include <string.h>

#include "api/api_internal.h"
#include "common/banned.h"

bool cors_origin_ok(struct str s)
{
    struct str rest = s, scheme;

    if (str_is(s, "*"))
        return true;
    if (!str_next(&rest, ':', &scheme) || !(str_is(scheme, "http") || str_is(scheme, "https")) ||
        !rest.p || !str_starts(rest, "//") || rest.n < 3)
        return false;
    for (size_t i = 2; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("/?#,@\"\\", rest.p[i]))
            return false;
    return true;
}

/* What is sent back; NULL: not this one. */
static const char *allowed_origin(const struct call *c)
{
    const struct opt_list *origins = &c->api->set->cors_origins;
    const char *origin = http_request_header(c->http, "Origin");

    for (size_t i = 0; origin && i < origins->n; i++) {
        if (strcmp(origins->items[i], "*") == 0)
            return "*";
        if (strcmp(origins->items[i], origin) == 0)
            return origins->items[i];
    }
    return NULL;
}

void cors_allow(struct call *c)
{
    const char *origin = allowed_origin(c);

    if (c->api->set->cors_origins.n > 0)
        http_reply_header(c->http, "Vary", "Origin"); /* for caches */
    if (!origin)
        return;
    http_reply_header(c->http, "Access-Control-Allow-Origin", origin);
    http_reply_header(c->http, "Access-Control-Expose-Headers",
                      "Location, Retry-After, X-Request-Id, Idempotent-Replayed");
}

void cors_preflight(struct call *c, const char *methods)
{
    if (!allowed_origin(c) || !http_request_header(c->http, "Access-Control-Request-Method"))
        return;
    http_reply_header(c->http, "Access-Control-Allow-Methods", methods);
    http_reply_header(c->http, "Access-Control-Allow-Headers",
                      "Authorization, Content-Type, Idempotency-Key, Last-Event-ID");
    http_reply_header(c->http, "Access-Control-Max-Age", "600");
}

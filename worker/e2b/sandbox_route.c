/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_route.h"

#include "worker/e2b/envd.h"

#include "common/banned.h"

/* The vendor's own domains, where one host stands before all sandboxes. */
static const char *const shared[] = {"e2b.app", "e2b.dev", "e2b.pro"};

static void put_url(struct buf *out, const char *url)
{
    struct str s = str_of(url);

    while (s.n > 0 && s.p[s.n - 1] == '/')
        s.n--;
    buf_addstr(out, s);
}

void sandbox_route_api(struct buf *out, const char *api_url, const char *domain)
{
    if (api_url)
        put_url(out, api_url);
    else
        buf_addf(out, "https://api.%s", domain);
}

bool sandbox_route_envd(struct buf *out, const char *sandbox_url, const char *domain,
                        const char *id)
{
    if (sandbox_url) {
        put_url(out, sandbox_url);
        return true;
    }
    for (size_t i = 0; i < COUNTOF(shared); i++) {
        if (str_is(str_of(domain), shared[i])) {
            buf_addf(out, "https://sandbox.%s", domain);
            return true;
        }
    }
    buf_addf(out, "https://%d-%s.%s", ENVD_PORT, id, domain);
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "common/banned.h"

const char *permission_name(enum permission p)
{
    static const char *const names[PERMISSIONS] = {"", "public", "read", "submit", "admin"};

    return names[p];
}

/* How many parameters the path has by this pattern; -1: it is another path. */
static int fits(const char *pattern, struct str path, struct str param[ROUTE_PARAMS])
{
    struct str want = str_of(pattern), a, b;
    int n = 0;

    while (str_next(&want, '/', &a)) {
        if (!str_next(&path, '/', &b))
            return -1;
        if (str_is(a, "{}") && b.n > 0 && n < ROUTE_PARAMS)
            param[n++] = b;
        else if (!str_eq(a, b))
            return -1;
    }
    return str_next(&path, '/', &b) ? -1 : n;
}

/* What is written out goes before a parameter: /v1/dlq/purge is no letter. */
static int fewest(const struct route *rows, size_t n, struct str path)
{
    int best = ROUTE_PARAMS;

    for (size_t i = 0; i < n; i++) {
        struct str param[ROUTE_PARAMS];
        int has = fits(rows[i].path, path, param);

        if (has >= 0 && has < best)
            best = has;
    }
    return best;
}

static void allow(char allowed[ROUTE_METHODS_ROOM], const char *method)
{
    size_t n = strlen(allowed);
    const char *twin = strcmp(method, "GET") == 0 ? ", HEAD" : "";

    (void)snprintf(allowed + n, ROUTE_METHODS_ROOM - n, "%s%s%s", n ? ", " : "", method, twin);
}

void route_find(const struct route *rows, size_t n, const char *method, struct str path,
                struct route_match *out)
{
    const char *want = strcmp(method, "HEAD") == 0 ? "GET" : method;
    int params = fewest(rows, n, path);

    *out = (struct route_match){0};
    for (size_t i = 0; i < n; i++) {
        struct str param[ROUTE_PARAMS] = {0};

        if (fits(rows[i].path, path, param) != params)
            continue;
        allow(out->allowed, rows[i].method);
        if (strcmp(rows[i].method, want) != 0)
            continue;
        out->route = &rows[i];
        memcpy(out->param, param, sizeof(param));
    }
    if (out->allowed[0])
        allow(out->allowed, "OPTIONS");
}

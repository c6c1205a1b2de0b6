/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/route.h"

#include <string.h>

#include "common/banned.h"

enum { SANDBOX_ID_LEN = 21 };

static bool path_matches(struct str pattern, struct str path, struct str *param)
{
    struct str want, have;

    *param = STR("");
    for (;;) {
        bool more = str_next(&pattern, '/', &want);

        if (more != str_next(&path, '/', &have))
            return false;
        if (!more)
            return true;
        if (str_is(want, "{}") && have.n > 0)
            *param = have;
        else if (!str_eq(want, have))
            return false;
    }
}

bool route_find(const struct route *rows, size_t n, enum plane plane, const char *method,
                struct str path, struct route_match *out)
{
    *out = (struct route_match){0};
    for (size_t i = 0; i < n; i++) {
        if (rows[i].plane != plane || !path_matches(str_of(rows[i].path), path, &out->param))
            continue;
        if (strcmp(rows[i].method, method) == 0) {
            out->route = &rows[i];
            out->other_method = false;
            return true;
        }
        out->other_method = true;
    }
    return false;
}

static bool lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool sandbox_id_parse(struct str s, struct str *id)
{
    if (!str_next(&s, '-', id) || id->n != SANDBOX_ID_LEN || id->p[0] != 'i')
        return false;
    for (size_t i = 1; i < id->n; i++)
        if (!lower_or_digit(id->p[i]))
            return false;
    return true;
}

static bool port_parse(struct str s, int *port)
{
    int64_t n = 0;

    if (!str_int(s, UINT16_MAX, &n) || n == 0)
        return false;
    *port = (int)n;
    return true;
}

/* "49983-i0123….example.org": the left-most label names port and sandbox. A host that only looks
 * like that is a mistake; any other is the service's own name. */
static enum routed host_target(const char *host, struct str *id, int *port)
{
    struct str rest = str_of(host), label, number;

    if (!str_next(&rest, '.', &label) || rest.n == 0 || !str_next(&label, '-', &number) ||
        !port_parse(number, port) || !str_starts(label, "i"))
        return ROUTED_CONTROL;
    return sandbox_id_parse(label, id) ? ROUTED_SANDBOX : ROUTED_BAD_HOST;
}

enum routed route_target(const char *host, const char *id_header, const char *port_header,
                         struct str *id, int *port)
{
    enum routed to = host_target(host, id, port);

    if (to != ROUTED_CONTROL || (id_header == NULL && port_header == NULL))
        return to;
    if (id_header == NULL || port_header == NULL)
        return ROUTED_HALF;
    if (!sandbox_id_parse(str_of(id_header), id))
        return ROUTED_BAD_ID;
    return port_parse(str_of(port_header), port) ? ROUTED_SANDBOX : ROUTED_BAD_PORT;
}

const char *route_refusal(enum routed r)
{
    switch (r) {
    case ROUTED_CONTROL:
    case ROUTED_SANDBOX:
        break;
    case ROUTED_HALF:
        return "missing header";
    case ROUTED_BAD_HOST:
        return "Invalid host";
    case ROUTED_BAD_ID:
        return "Invalid sandbox ID";
    case ROUTED_BAD_PORT:
        return "Invalid sandbox port";
    }
    return "";
}

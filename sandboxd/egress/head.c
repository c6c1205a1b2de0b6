/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/egress/head.h"

#include <string.h>
#include <strings.h>

#include "common/banned.h"

/* Fields between the sandbox and us; "Upgrade" cannot outlive "Connection: close". */
static const char *const hop[] = {"Connection", "Proxy-Connection", "Proxy-Authorization",
                                  "Keep-Alive", "Upgrade",          "Host"};

static const char *find(struct str s, const char *what)
{
    return memmem(s.p, s.n, what, strlen(what));
}

static bool clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

/* Each line is whole: an origin may take a bare CR or LF for the end of one, and read behind it a
 * Host that is not the one the rule's headers are for. */
static bool fields_ok(struct str s)
{
    const char *end;

    for (; s.n > 0 && (end = find(s, "\r\n")) != NULL;
         s = (struct str){end + 2, s.n - (size_t)(end - s.p) - 2})
        for (const char *p = s.p; p < end; p++)
            if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
                return false;
    return true;
}

/* It is put into a URL: nothing may end the host there. */
static bool host_ok(struct str host, bool bracketed)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    for (size_t i = 0; i < host.n; i++)
        if (strchr(letters, host.p[i]) == NULL && !(bracketed && host.p[i] == ':'))
            return false;
    return host.n > 0 && host.n <= EGRESS_HOST_MAX;
}

/* "host:port", "[::1]:port"; without a port when `fallback` > 0. */
static bool parse_authority(struct str s, int fallback, struct egress_head *out)
{
    const char *colon = memrchr(s.p, ':', s.n);
    int64_t port = fallback;

    out->bracketed = s.n > 0 && s.p[0] == '[';
    if (out->bracketed) {
        const char *end = memchr(s.p, ']', s.n);
        if (end == NULL)
            return false;
        out->host = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
        colon = end + 1 < s.p + s.n && end[1] == ':' ? end + 1 : NULL;
        if (colon == NULL && end + 1 != s.p + s.n)
            return false;
    } else {
        out->host = (struct str){s.p, colon != NULL ? (size_t)(colon - s.p) : s.n};
    }
    if (colon != NULL &&
        !str_int((struct str){colon + 1, (size_t)(s.p + s.n - colon) - 1}, 65535, &port))
        return false;
    out->port = (int)port;
    return port > 0 && host_ok(out->host, out->bracketed);
}

static bool parse_target(struct str target, struct egress_head *out)
{
    static const char scheme[] = "http://";

    if (out->connect)
        return parse_authority(target, 0, out);
    if (target.n < sizeof(scheme) || strncasecmp(target.p, scheme, sizeof(scheme) - 1) != 0)
        return false;
    target.p += sizeof(scheme) - 1;
    target.n -= sizeof(scheme) - 1;
    const char *slash = memchr(target.p, '/', target.n);
    size_t n = slash != NULL ? (size_t)(slash - target.p) : target.n;
    out->path = slash != NULL ? (struct str){slash, target.n - n} : STR("/");
    return clean(out->path) && parse_authority((struct str){target.p, n}, 80, out);
}

static bool parse_line(struct str line, struct egress_head *out)
{
    struct str rest = line, target = {0}, version = {0}, extra;

    if (!str_next(&rest, ' ', &out->method) || !str_next(&rest, ' ', &target) ||
        !str_next(&rest, ' ', &version) || str_next(&rest, ' ', &extra))
        return false;
    out->connect = str_is(out->method, "CONNECT");
    return clean(out->method) && out->method.n <= 16 && clean(target) &&
           (str_is(version, "HTTP/1.1") || str_is(version, "HTTP/1.0")) &&
           parse_target(target, out);
}

enum egress_step egress_head_parse(struct str bytes, struct egress_head *out)
{
    const char *end = find(bytes, "\r\n\r\n"), *line = find(bytes, "\r\n");
    struct str head = {bytes.p, end != NULL ? (size_t)(end - bytes.p) + 2 : 0};

    *out = (struct egress_head){0};
    if (end == NULL)
        return bytes.n >= EGRESS_HEAD_MAX ? EGRESS_BAD : EGRESS_MORE;
    if (head.n > EGRESS_HEAD_MAX || memchr(head.p, '\0', head.n) != NULL)
        return EGRESS_BAD;
    out->bytes = head.n + 2;
    out->fields = (struct str){line + 2, (size_t)(head.p + head.n - (line + 2))};
    bool good =
        parse_line((struct str){bytes.p, (size_t)(line - bytes.p)}, out) && fields_ok(out->fields);
    return good ? EGRESS_HEAD : EGRESS_BAD;
}

static bool is_field(struct str line, const char *name)
{
    size_t n = strlen(name);

    if (line.n <= n || strncasecmp(line.p, name, n) != 0)
        return false;
    struct str rest = str_trim((struct str){line.p + n, line.n - n});
    return rest.n > 0 && rest.p[0] == ':';
}

static bool left_out(struct str line, const struct egress_header *add, size_t n)
{
    for (size_t i = 0; i < COUNTOF(hop); i++)
        if (is_field(line, hop[i]))
            return true;
    for (size_t i = 0; i < n; i++)
        if (is_field(line, add[i].name))
            return true;
    return line.n == 0 || line.p[0] == ' ' || line.p[0] == '\t'; /* a folded line: of which? */
}

void egress_head_write(const struct egress_head *h, const struct egress_header *add, size_t n,
                       struct buf *out)
{
    struct str rest = h->fields;
    const char *end;

    buf_addf(out, STR_FMT " " STR_FMT " HTTP/1.1\r\n", STR_ARG(h->method), STR_ARG(h->path));
    buf_addf(out, h->bracketed ? "Host: [" STR_FMT "]" : "Host: " STR_FMT, STR_ARG(h->host));
    buf_addf(out, h->port != 80 ? ":%d\r\n" : "\r\n", h->port);
    while (rest.n > 0 && (end = find(rest, "\r\n")) != NULL) {
        struct str line = {rest.p, (size_t)(end - rest.p)};

        if (!left_out(line, add, n))
            buf_addf(out, STR_FMT "\r\n", STR_ARG(line));
        rest = (struct str){end + 2, rest.n - line.n - 2};
    }
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s: %s\r\n", add[i].name, add[i].value);
    buf_adds(out, "Connection: close\r\n\r\n");
}

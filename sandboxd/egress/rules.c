/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/egress/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "common/json/json.h"

#include "common/banned.h"

enum { HOST_MAX = 253 };

struct entry { /* a network or a host */
    bool is_net;
    struct net net;
    char host[HOST_MAX + 1]; /* "*.example.org" too */
};

struct list {
    struct entry *all;
    size_t n;
};

struct egress_rules {
    struct list allow, deny;
    bool internet;
    cJSON *headers; /* host -> {name: value} */
};

/* --- reading --------------------------------------------------------------- */

static bool host_ok(const char *s)
{
    size_t n = strlen(s), plain = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-._*");

    return n > 0 && n <= HOST_MAX && plain == n &&
           (strrchr(s, '*') == NULL || (strrchr(s, '*') == s && s[1] == '.'));
}

static enum err_code read_entry(const cJSON *item, bool hosts, struct entry *out,
                                const char *member, struct err *err)
{
    const char *text = cJSON_GetStringValue(item);

    if (text != NULL && net_parse(str_of(text), &out->net)) {
        out->is_net = true;
        return ERR_OK;
    }
    bool good = text != NULL && hosts && (strcmp(text, "*") == 0 || host_ok(text));

    if (!good)
        return err_set(err, ERR_INVALID, "network.%s: each entry must be an address, a network%s",
                       member, hosts ? " or a host" : "");
    memcpy(out->host, text, strlen(text) + 1);
    return ERR_OK;
}

static enum err_code read_list(const cJSON *network, const char *member, bool hosts,
                               struct list *out, struct err *err)
{
    const cJSON *array = json_get(network, member), *item;
    int n = cJSON_GetArraySize(array);

    if (array == NULL || cJSON_IsNull(array))
        return ERR_OK;
    if (!cJSON_IsArray(array) || n > EGRESS_ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "network.%s must be an array of at most %d", member,
                       EGRESS_ENTRIES_MAX);
    out->all = calloc((size_t)n + 1, sizeof(*out->all));
    if (out->all == NULL)
        return err_set(err, ERR_NOMEM, "network rules");
    cJSON_ArrayForEach(item, array)
    {
        if (read_entry(item, hosts, &out->all[out->n], member, err) != ERR_OK)
            return ERR_INVALID;
        out->n++;
    }
    return ERR_OK;
}

static bool header_ok(const cJSON *h)
{
    const char *value = cJSON_GetStringValue(h);
    size_t n = h->string != NULL ? strlen(h->string) : 0;

    if (value == NULL || n == 0 || n > 128 || strlen(value) > EGRESS_HEADER_BYTES)
        return false;
    for (const char *p = h->string; *p != '\0'; p++)
        if (*p <= ' ' || *p == ':' || *p == 0x7f)
            return false;
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

static enum err_code read_transform(struct egress_rules *r, const char *host, const cJSON *rule,
                                    struct err *err)
{
    const cJSON *headers = json_get(json_get(rule, "transform"), "headers"), *h;
    cJSON *mine = cJSON_GetObjectItemCaseSensitive(r->headers, host);

    if (mine == NULL)
        mine = cJSON_AddObjectToObject(r->headers, host);
    if (mine == NULL)
        return err_set(err, ERR_NOMEM, "network rules");
    if (!cJSON_IsObject(headers))
        return err_set(err, ERR_INVALID, "network.rules: only transform.headers is known here");
    cJSON_ArrayForEach(h, headers)
    {
        if (!header_ok(h) || cJSON_GetArraySize(mine) >= EGRESS_HEADERS_MAX)
            return err_set(err, ERR_INVALID, "network.rules: not a header, or over %d of them",
                           EGRESS_HEADERS_MAX);
        cJSON_DeleteItemFromObjectCaseSensitive(mine, h->string);
        if (!cJSON_AddStringToObject(mine, h->string, cJSON_GetStringValue(h)))
            return err_set(err, ERR_NOMEM, "network rules");
    }
    return ERR_OK;
}

static enum err_code read_rules(struct egress_rules *r, const cJSON *network, struct err *err)
{
    const cJSON *rules = json_get(network, "rules"), *of_host, *rule;
    enum err_code rc = ERR_OK;

    if (rules == NULL || cJSON_IsNull(rules))
        return ERR_OK;
    if (!cJSON_IsObject(rules) || cJSON_GetArraySize(rules) > EGRESS_ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "network.rules must be an object of at most %d hosts",
                       EGRESS_ENTRIES_MAX);
    cJSON_ArrayForEach(of_host, rules)
    {
        if (!cJSON_IsArray(of_host) || !host_ok(of_host->string))
            return err_set(err, ERR_INVALID, "network.rules: each host must have an array");
        cJSON_ArrayForEach(rule, of_host) if (rc == ERR_OK) rc =
            read_transform(r, of_host->string, rule, err);
    }
    return rc;
}

enum err_code egress_rules_new(const cJSON *network, bool internet, struct egress_rules **out,
                               struct err *err)
{
    struct egress_rules *r = calloc(1, sizeof(*r));
    enum err_code rc;

    if (r == NULL || (r->headers = cJSON_CreateObject()) == NULL) {
        egress_rules_free(r);
        return err_set(err, ERR_NOMEM, "network rules");
    }
    r->internet = internet;
    rc = read_list(network, "allowOut", true, &r->allow, err);
    if (rc == ERR_OK)
        rc = read_list(network, "denyOut", false, &r->deny, err);
    if (rc == ERR_OK)
        rc = read_rules(r, network, err);
    if (rc != ERR_OK) {
        egress_rules_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void egress_rules_free(struct egress_rules *r)
{
    cJSON *host, *h;

    if (r == NULL)
        return;
    cJSON_ArrayForEach(host, r->headers) cJSON_ArrayForEach(h, host)
        sodium_memzero(h->valuestring, strlen(h->valuestring));
    cJSON_Delete(r->headers);
    free(r->allow.all);
    free(r->deny.all);
    free(r);
}

/* --- asking ------------------------------------------------------------------ */

static bool same_host(const char *want, struct str host)
{
    size_t n = strlen(want);

    if (strcmp(want, "*") == 0)
        return true;
    if (strncmp(want, "*.", 2) != 0)
        return host.n == n && strncasecmp(want, host.p, n) == 0;
    return host.n > n - 1 && strncasecmp(want + 1, host.p + host.n - (n - 1), n - 1) == 0;
}

bool egress_names(const struct egress_rules *r, struct str host)
{
    for (size_t i = 0; i < r->allow.n; i++)
        if (!r->allow.all[i].is_net && same_host(r->allow.all[i].host, host))
            return true;
    return false;
}

static bool has(const struct list *l, const struct sockaddr *to)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->all[i].is_net && net_has(&l->all[i].net, to))
            return true;
    return false;
}

/* "0.0.0.0/0" is how E2B says "everything": IPv6 is no way around it. */
static bool denies_all(const struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->all[i].is_net && (l->all[i].net.bits == 0 || l->all[i].net.bits == 96))
            return true;
    return false;
}

bool egress_denies(const struct egress_rules *r, const struct sockaddr *to)
{
    if (has(&r->allow, to))
        return false;
    return !r->internet || denies_all(&r->deny) || has(&r->deny, to);
}

size_t egress_headers(const struct egress_rules *r, struct str host,
                      struct egress_header out[EGRESS_HEADERS_MAX])
{
    const cJSON *of_host, *h;
    size_t n = 0;

    cJSON_ArrayForEach(of_host, r->headers)
    {
        if (!same_host(of_host->string, host))
            continue;
        cJSON_ArrayForEach(h, of_host) if (n < EGRESS_HEADERS_MAX) out[n++] =
            (struct egress_header){h->string, h->valuestring};
    }
    return n;
}

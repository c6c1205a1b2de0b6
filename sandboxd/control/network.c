/* SPDX-License-Identifier: Apache-2.0 */
/* The network rules of a sandbox, as a client may give them. Pure. */
#include "sandboxd/control/new_sandbox.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#include "common/banned.h"

#define ALL_TRAFFIC "0.0.0.0/0"
enum { ADDRESS_ROOM = 64, DOMAIN_MAX = 253 };

static bool is_address(const char *s)
{
    unsigned char raw[16];

    return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

/* "10.0.0.0/8", "10.1.2.3", "fd00::/8". */
static bool is_cidr(const char *s)
{
    const char *slash = strchr(s, '/');
    char address[ADDRESS_ROOM];
    char *end = NULL;

    if (slash == NULL)
        return is_address(s);
    size_t n = (size_t)(slash - s);
    if (n >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
        return false;
    memcpy(address, s, n);
    address[n] = '\0';
    long bits = strtol(slash + 1, &end, 10);
    return *end == '\0' && is_address(address) && bits <= (strchr(address, ':') ? 128 : 32);
}

static bool is_domain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr(".-_", c) != NULL;
}

/* "example.com", "*.example.com"; "*" alone when `any`. */
static bool is_domain(const char *s, bool any)
{
    size_t n = strlen(s);

    if (any && strcmp(s, "*") == 0)
        return true;
    if (strncmp(s, "*.", 2) == 0)
        s += 2;
    if (n > DOMAIN_MAX || *s == '\0' || *s == '.' || *s == '-')
        return false;
    for (; *s != '\0'; s++)
        if (!is_domain_char(*s))
            return false;
    return true;
}

/* Every entry is a string that passes. */
static enum err_code check_list(const cJSON *network, const char *key, bool (*good)(const char *),
                                const char *what, struct err *err)
{
    const cJSON *list = json_get(network, key), *e;

    if (list == NULL || cJSON_IsNull(list))
        return ERR_OK;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > NETWORK_LIST_MAX)
        return err_set(err, ERR_INVALID, "'%s' must be a list of at most %d", key,
                       NETWORK_LIST_MAX);
    cJSON_ArrayForEach(e, list)
    {
        if (!cJSON_IsString(e) || !good(e->valuestring))
            return err_set(err, ERR_INVALID, "'%s' must hold %s", key, what);
    }
    return ERR_OK;
}

static bool is_destination(const char *s)
{
    return is_cidr(s) || is_domain(s, true);
}

/* A list of domains only means something when all else is denied. */
static enum err_code check_domains(const cJSON *network, struct err *err)
{
    bool domains = false, denied = false;
    const cJSON *e;

    cJSON_ArrayForEach(e, json_get(network, "allowOut")) domains =
        domains || !is_cidr(e->valuestring);
    cJSON_ArrayForEach(e, json_get(network, "denyOut")) denied =
        denied || strcmp(e->valuestring, ALL_TRAFFIC) == 0;
    if (!domains || denied)
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "When specifying allowed domains in allow out, you must include '" ALL_TRAFFIC
                   "' in deny out to block all other traffic.");
}

static bool headers_ok(const cJSON *headers)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, headers)
    {
        if (!cJSON_IsString(e) || e->string[0] == '\0' || strpbrk(e->string, " :\r\n") != NULL ||
            strpbrk(e->valuestring, "\r\n") != NULL)
            return false;
    }
    return headers == NULL || cJSON_IsObject(headers);
}

/* {"api.example.com":[{"transform":{"headers":{…}}}]} */
static enum err_code check_rules(const cJSON *network, struct err *err)
{
    const cJSON *rules = json_get(network, "rules"), *domain, *rule;

    if (rules == NULL || cJSON_IsNull(rules))
        return ERR_OK;
    if (!cJSON_IsObject(rules) || cJSON_GetArraySize(rules) > NETWORK_LIST_MAX)
        return err_set(err, ERR_INVALID, "'rules' must be an object of domains");
    cJSON_ArrayForEach(domain, rules)
    {
        if (!is_domain(domain->string, false) || !cJSON_IsArray(domain))
            return err_set(err, ERR_INVALID, "'rules' must give a list to each domain");
        cJSON_ArrayForEach(rule, domain)
        {
            if (!cJSON_IsObject(rule) ||
                !headers_ok(json_get(json_get(rule, "transform"), "headers")))
                return err_set(err, ERR_INVALID,
                               "a rule must be {\"transform\":{\"headers\":{…}}}");
        }
    }
    return ERR_OK;
}

static enum err_code check_rest(const cJSON *network, struct err *err)
{
    const cJSON *public = json_get(network, "allowPublicTraffic");
    const cJSON *mask = json_get(network, "maskRequestHost");
    const cJSON *proxy = json_get(network, "egressProxy");

    if (public != NULL && !cJSON_IsNull(public) && !cJSON_IsBool(public))
        return err_set(err, ERR_INVALID, "'allowPublicTraffic' must be true or false");
    if (mask != NULL && !cJSON_IsNull(mask) && !cJSON_IsString(mask))
        return err_set(err, ERR_INVALID, "'maskRequestHost' must be a string");
    if (proxy != NULL && !cJSON_IsNull(proxy))
        return err_set(err, ERR_INVALID, "'egressProxy' is not supported here");
    return ERR_OK;
}

enum err_code network_check(const cJSON *network, struct err *err)
{
    if (!cJSON_IsObject(network))
        return err_set(err, ERR_INVALID, "'network' must be an object");
    enum err_code rc =
        check_list(network, "allowOut", is_destination, "addresses and domains", err);
    if (rc == ERR_OK)
        rc = check_list(network, "denyOut", is_cidr, "addresses", err);
    if (rc == ERR_OK)
        rc = check_list(network, "dnsServers", is_address, "addresses", err);
    if (rc == ERR_OK)
        rc = check_domains(network, err);
    if (rc == ERR_OK)
        rc = check_rules(network, err);
    return rc == ERR_OK ? check_rest(network, err) : rc;
}

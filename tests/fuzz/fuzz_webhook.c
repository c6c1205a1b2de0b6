/* SPDX-License-Identifier: Apache-2.0 */
/* Property: an endpoint that is accepted has an address of HTTP in which nothing can hide: no user,
 * no fragment, no blank, nothing that is not printable; plain HTTP only where that was asked for. A
 * key that is accepted has bytes, and no more than there is room. A network that is accepted has
 * its own address. */
#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/net.h"
#include "schema/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(struct str url, bool plain)
{
    struct err err = ERR_INIT;

    if (webhook_check(STR("name"), url, plain, &err) != ERR_OK) {
        assert(err.msg[0]);
        return;
    }
    assert(str_starts(url, "https://") || (plain && str_starts(url, "http://")));
    for (size_t i = 0; i < url.n; i++)
        assert(url.p[i] > ' ' && url.p[i] < 0x7f && !strchr("@#\\\"", url.p[i]));
}

static void check_name(struct str name)
{
    struct err err = ERR_INIT;

    if (webhook_check(name, STR("https://example.org"), false, &err) == ERR_OK)
        assert(name.n > 0 && !memchr(name.p, '\0', name.n) && !memchr(name.p, ' ', name.n));
}

static void check_keys(struct str key)
{
    uint8_t bytes[WEBHOOK_KEY_MAX_BYTES];
    struct err err = ERR_INIT;
    size_t n = 0;

    for (int s = 0; s < WEBHOOK_SCHEMES; s++)
        if (webhook_key_bytes((enum webhook_scheme)s, key, bytes, &n, &err) == ERR_OK)
            assert(n > 0 && n <= sizeof(bytes));
}

static void check_net(struct str text)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6};
    struct net net;

    if (!net_parse(text, &net))
        return;
    assert(net.bits <= 128);
    memcpy(&own.sin6_addr, net.addr, sizeof(net.addr));
    assert(net_has(&net, (const struct sockaddr *)(const void *)&own));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data + 1, size - 1};

    if (size == 0)
        return 0;
    check_url(text, data[0] % 2);
    check_name(text);
    check_keys(text);
    check_net(text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/webhook.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/base64.h"
#include "schema/run_request.h"
#include "common/banned.h"

/* --- words -------------------------------------------------------------------- */

const char *webhook_scheme_name(enum webhook_scheme s)
{
#define NAME(name, text) [WEBHOOK_##name] = (text),
    static const char *const names[WEBHOOK_SCHEMES] = {WEBHOOK_SCHEME_MAP(NAME)};
#undef NAME
    return names[s];
}

bool webhook_scheme_parse(struct str name, enum webhook_scheme *out)
{
    for (int s = 0; s < WEBHOOK_SCHEMES; s++)
        if (str_is(name, webhook_scheme_name((enum webhook_scheme)s))) {
            *out = (enum webhook_scheme)s;
            return true;
        }
    return false;
}

bool webhook_state_ok(struct str state)
{
    static const char *const ends[] = {"completed", "failed", "timed_out", "cancelled", "expired"};

    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (str_is(state, ends[i]))
            return true;
    return false;
}

/* --- what is allowed ---------------------------------------------------------- */

/* Where it leads is judged by the address, at the moment of connecting (webhook/guard.h). */
static bool url_ok(struct str url)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;

    if (scheme == 0 || url.n == scheme || url.n > WEBHOOK_URL_MAX_BYTES ||
        strchr("/?:", url.p[scheme]) || memchr(url.p, '@', url.n) || memchr(url.p, '#', url.n))
        return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] == 0x7f || strchr("\"'\\<>^`{|}", url.p[i]))
            return false;
    return true;
}

enum err_code webhook_check(struct str name, struct str url, bool plain_http, struct err *err)
{
    if (!run_name_ok(name))
        return err_set(err, ERR_INVALID, "a name is 1..%d of A-Z a-z 0-9 . _ : @ / + -",
                       RUN_NAME_MAX_BYTES);
    if (!url_ok(url))
        return err_set(err, ERR_INVALID,
                       "a URL is https://host…, without user, fragment, blanks and quotes");
    if (!plain_http && !str_starts(url, "https://"))
        return err_set(err, ERR_INVALID,
                       "the URL is no https one: who is on the way could read what is sent; "
                       "--plain-http if that is wanted");
    return ERR_OK;
}

/* --- keys --------------------------------------------------------------------- */

static const char *prefix_of(enum webhook_scheme s)
{
    return s == WEBHOOK_V1 ? "whsec_" : "whsk_";
}

enum err_code webhook_key_new(enum webhook_scheme s, struct secret **out, struct err *err)
{
    enum { DIGITS = sodium_base64_ENCODED_LEN(WEBHOOK_KEY_BYTES, sodium_base64_VARIANT_ORIGINAL) };
    uint8_t bytes[WEBHOOK_KEY_BYTES];
    char digits[DIGITS], text[WEBHOOK_KEY_TEXT_MAX_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    (void)sodium_bin2base64(digits, sizeof(digits), bytes, sizeof(bytes),
                            sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(text, sizeof(text), "%s%s", prefix_of(s), digits);
    enum err_code rc = secret_new(str_of(text), out, err);
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(digits, sizeof(digits));
    sodium_memzero(text, sizeof(text));
    return rc;
}

enum err_code webhook_key_bytes(enum webhook_scheme s, struct str key,
                                uint8_t out[WEBHOOK_KEY_MAX_BYTES], size_t *n, struct err *err)
{
    size_t prefix = strlen(prefix_of(s));
    const char *end = NULL;

    *n = 0;
    if (!str_starts(key, prefix_of(s)) ||
        sodium_base642bin(out, WEBHOOK_KEY_MAX_BYTES, key.p + prefix, key.n - prefix, NULL, n, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != key.p + key.n)
        return err_set(err, ERR_INVALID, "no key of %s: %s and base64", webhook_scheme_name(s),
                       prefix_of(s));
    if (s == WEBHOOK_V1 ? *n < WEBHOOK_KEY_MIN_BYTES : *n != crypto_sign_SEEDBYTES)
        return err_set(err, ERR_INVALID, "a key of %s has not %zu bytes", webhook_scheme_name(s),
                       *n);
    return ERR_OK;
}

static void add_public(const uint8_t *seed, struct buf *out)
{
    uint8_t pair[crypto_sign_SECRETKEYBYTES], open[crypto_sign_PUBLICKEYBYTES];

    (void)crypto_sign_seed_keypair(open, pair, seed);
    sodium_memzero(pair, sizeof(pair));
    buf_adds(out, "whpk_");
    base64_add(out, (struct str){(const char *)open, sizeof(open)});
}

enum err_code webhook_key_shown(enum webhook_scheme s, struct str key, struct buf *out,
                                struct err *err)
{
    uint8_t bytes[WEBHOOK_KEY_MAX_BYTES];
    size_t n = 0;
    enum err_code rc = webhook_key_bytes(s, key, bytes, &n, err);

    if (rc == ERR_OK && s == WEBHOOK_V1)
        buf_addstr(out, key);
    else if (rc == ERR_OK)
        add_public(bytes, out);
    sodium_memzero(bytes, sizeof(bytes));
    return rc != ERR_OK || out->rc == ERR_OK ? rc : err_set(err, out->rc, "a webhook's key");
}

enum { PARTS = 4 };

static struct sealed_about about(const struct webhook_key_of *of, struct str part[PARTS])
{
    part[0] = STR("webhook");
    part[1] = of->tenant;
    part[2] = of->name;
    part[3] = str_of(webhook_scheme_name(of->scheme));
    return (struct sealed_about){part, PARTS};
}

enum err_code webhook_key_seal(const struct keyring *k, const struct webhook_key_of *of,
                               const struct secret *key, struct sealed *out, struct err *err)
{
    struct str part[PARTS];
    return sealed_close(k, about(of, part), key, out, err);
}

enum err_code webhook_key_open(const struct keyring *k, const struct webhook_key_of *of,
                               const struct sealed *s, struct secret **key, struct err *err)
{
    struct str part[PARTS];
    return sealed_open(k, about(of, part), s, key, err);
}

enum err_code webhook_key_rewrap(const struct keyring *k, const struct webhook_key_of *of,
                                 struct sealed *s, struct err *err)
{
    struct str part[PARTS];
    return sealed_rewrap(k, about(of, part), s, err);
}

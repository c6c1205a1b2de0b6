/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/credential.h"

#include <string.h>

#include <sodium.h>

#include "schema/run_request.h"
#include "common/banned.h"

/* --- kinds -------------------------------------------------------------------- */

const char *credential_kind_name(enum credential_kind k)
{
#define NAME(name, text) [CREDENTIAL_##name] = (text),
    static const char *const names[CREDENTIAL_KINDS] = {CREDENTIAL_KIND_MAP(NAME)};
#undef NAME
    return names[k];
}

static bool is_kind(struct str s, const char *name)
{
    if (s.n != strlen(name))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != name[i] && !(s.p[i] == '-' && name[i] == '_'))
            return false;
    return true;
}

bool credential_kind_parse(struct str name, enum credential_kind *out)
{
    for (int k = 0; k < CREDENTIAL_KINDS; k++)
        if (is_kind(name, credential_kind_name((enum credential_kind)k))) {
            *out = (enum credential_kind)k;
            return true;
        }
    return false;
}

enum credential_kind credential_kind_guess(struct str secret)
{
    return str_starts(secret, "sk-ant-oat")   ? CREDENTIAL_OAUTH
           : str_starts(secret, "sk-ant-api") ? CREDENTIAL_API_KEY
                                              : CREDENTIAL_NONE;
}

/* --- what is allowed ---------------------------------------------------------- */

/* It becomes an environment variable of the agent, and a row of a list: no blanks, no quotes. */
static bool url_ok(struct str url)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;

    if (scheme == 0 || url.n == scheme || url.n > CREDENTIAL_URL_MAX_BYTES ||
        url.p[scheme] == '/' || memchr(url.p, '@', url.n))
        return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] == 0x7f || strchr("\"'\\<>^`{|}", url.p[i]))
            return false;
    return true;
}

enum err_code credential_check(const struct credential_what *w, struct err *err)
{
    if (!run_name_ok(w->name))
        return err_set(err, ERR_INVALID, "a name is 1..%d of A-Z a-z 0-9 . _ : @ / + -",
                       RUN_NAME_MAX_BYTES);
    if (!str_is(w->tenant, CREDENTIAL_ALL_TENANTS) && !run_name_ok(w->tenant))
        return err_set(err, ERR_INVALID, "a tenant is * or 1..%d of A-Z a-z 0-9 . _ : @ / + -",
                       RUN_NAME_MAX_BYTES);
    if (w->base_url.n > 0 && !url_ok(w->base_url))
        return err_set(err, ERR_INVALID,
                       "a base URL is http(s)://host…, without user, blanks and quotes");
    if (w->kind == CREDENTIAL_GATEWAY && w->base_url.n == 0)
        return err_set(err, ERR_INVALID, "a gateway has a base URL");
    return ERR_OK;
}

enum err_code credential_check_secret(const struct credential_what *w, struct str secret,
                                      struct err *err)
{
    enum credential_kind looks = credential_kind_guess(secret);

    if (secret_check(secret, err) != ERR_OK)
        return err->code;
    for (size_t i = 0; i < secret.n; i++)
        if (secret.p[i] < '!' || secret.p[i] > '~')
            return err_set(err, ERR_INVALID, "the secret has a blank or a byte that is not ASCII");
    if (w->kind == CREDENTIAL_NONE)
        return err_set(err, ERR_INVALID, "kind none has no secret");
    if (str_starts(secret, "sk-ant-ort"))
        return err_set(err, ERR_INVALID,
                       "this is a refresh token: `claude setup-token` makes one that lasts a year");
    if (looks != CREDENTIAL_NONE && looks != w->kind && w->kind != CREDENTIAL_GATEWAY)
        return err_set(err, ERR_INVALID, "the secret looks like one of kind %s, not %s",
                       credential_kind_name(looks), credential_kind_name(w->kind));
    return ERR_OK;
}

/* --- sealed ------------------------------------------------------------------- */

enum { PARTS = 4 };

static struct sealed_about about(const struct credential_what *w, struct str part[PARTS])
{
    part[0] = w->tenant;
    part[1] = w->name;
    part[2] = str_of(credential_kind_name(w->kind));
    part[3] = w->base_url;
    return (struct sealed_about){part, PARTS};
}

enum err_code credential_seal(const struct keyring *k, const struct credential_what *w,
                              const struct secret *plain, struct sealed *out, struct err *err)
{
    struct str part[PARTS];
    return sealed_close(k, about(w, part), plain, out, err);
}

enum err_code credential_open(const struct keyring *k, const struct credential_what *w,
                              const struct sealed *s, struct secret **plain, struct err *err)
{
    struct str part[PARTS];
    return sealed_open(k, about(w, part), s, plain, err);
}

enum err_code credential_rewrap(const struct keyring *k, const struct credential_what *w,
                                struct sealed *s, struct err *err)
{
    struct str part[PARTS];
    return sealed_rewrap(k, about(w, part), s, err);
}

/* --- columns ------------------------------------------------------------------ */

static bool unhex(const char *hex, void *out, size_t room, size_t *n)
{
    const char *end = NULL;
    size_t len = strlen(hex);

    return sodium_hex2bin(out, room, hex, len, NULL, n, &end) == 0 && end == hex + len;
}

enum err_code credential_read_sealed(const char *key_id, const char *wrapped, const char *sealed,
                                     struct sealed *out, struct err *err)
{
    size_t n = 0;

    *out = (struct sealed){.box = BUF_INIT(SEALED_BOX_MAX_BYTES + 1)};
    if (!key_id || !wrapped || !sealed)
        return err_set(err, ERR_INVALID, "there is no sealed secret");
    if (strlen(key_id) != KEY_ID_TEXT - 1 ||
        !unhex(wrapped, out->wrapped, sizeof(out->wrapped), &n) || n != sizeof(out->wrapped))
        return err_set(err, ERR_INVALID, "the wrapped key is none");
    memcpy(out->key_id, key_id, KEY_ID_TEXT);
    if (strlen(sealed) / 2 > SEALED_BOX_MAX_BYTES)
        return err_set(err, ERR_INVALID, "the sealed secret is too long");
    char *room = buf_room(&out->box, strlen(sealed) / 2 + 1);
    if (!room)
        return err_set(err, ERR_NOMEM, "a sealed secret");
    if (!unhex(sealed, room, strlen(sealed) / 2 + 1, &n)) {
        sealed_release(out);
        return err_set(err, ERR_INVALID, "the sealed secret is no hex");
    }
    buf_grew(&out->box, n);
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/api_key.h"

#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { ID_AT = sizeof(API_KEY_PREFIX) - 1, SECRET_AT = ID_AT + API_KEY_ID };

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return true;
}

bool api_key_id_ok(struct str id)
{
    return id.n == API_KEY_ID - 1 && is_hex(id);
}

bool api_key_parse(struct str text, struct api_key *out)
{
    if (text.n != API_KEY_TEXT - 1 || !str_starts(text, API_KEY_PREFIX) ||
        text.p[SECRET_AT - 1] != '_' ||
        !api_key_id_ok((struct str){text.p + ID_AT, API_KEY_ID - 1}) ||
        !is_hex((struct str){text.p + SECRET_AT, 2 * API_KEY_BYTES}))
        return false;
    memcpy(out->id, text.p + ID_AT, API_KEY_ID - 1);
    out->id[API_KEY_ID - 1] = '\0';
    return sodium_hex2bin(out->secret, sizeof(out->secret), text.p + SECRET_AT, 2 * API_KEY_BYTES,
                          NULL, NULL, NULL) == 0;
}

void api_key_hash(const struct api_key *k, uint8_t out[API_KEY_BYTES])
{
    crypto_generichash(out, API_KEY_BYTES, k->secret, sizeof(k->secret), NULL, 0);
}

bool api_key_matches(const struct api_key *k, const uint8_t hash[API_KEY_BYTES])
{
    uint8_t own[API_KEY_BYTES];

    api_key_hash(k, own);
    return sodium_memcmp(own, hash, sizeof(own)) == 0;
}

/* --- scopes ---------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum api_scope scope;
} words_of[] = {{"submit", API_SUBMIT}, {"read", API_READ}, {"admin", API_ADMIN}};

bool api_scopes_parse(struct str words, unsigned *out)
{
    struct str word;

    *out = 0;
    if (words.n >= 2 && words.p[0] == '{' && words.p[words.n - 1] == '}')
        words = (struct str){words.p + 1, words.n - 2};
    while (str_next(&words, ',', &word)) {
        unsigned before = *out;

        word = str_trim(word);
        for (size_t i = 0; i < COUNTOF(words_of); i++)
            if (str_is(word, words_of[i].word))
                *out |= words_of[i].scope;
        if (*out == before)
            return false; /* no such word, or twice */
    }
    return *out != 0;
}

static void write_words(unsigned scopes, const char *quote, struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < COUNTOF(words_of); i++)
        if (scopes & words_of[i].scope) {
            buf_addf(out, "%s%s%s%s", comma, quote, words_of[i].word, quote);
            comma = ",";
        }
}

void api_scopes_write(unsigned scopes, struct buf *out)
{
    write_words(scopes, "", out);
}

void api_scopes_json(unsigned scopes, struct buf *out)
{
    buf_addc(out, '[');
    write_words(scopes, "\"", out);
    buf_addc(out, ']');
}

bool api_scopes_allow(unsigned scopes, enum api_scope wanted)
{
    return (scopes & (API_ADMIN | (unsigned)wanted)) != 0;
}

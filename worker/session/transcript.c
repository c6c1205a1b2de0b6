/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/session/transcript.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/uuid.h"
#include "common/banned.h"

/* Sealed: the mark, a nonce, and XChaCha20-Poly1305 of the text with the store's key as
 * additional data, so that nobody can put one session's transcript in another's place. */
#define MARK "sandfleet-sealed-1\n"
enum {
    MARK_BYTES = sizeof(MARK) - 1,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SEALED_BYTES = MARK_BYTES + NONCE_BYTES + TAG_BYTES
};
static_assert((int)SEALED_BYTES <= (int)TRANSCRIPT_SEAL_BYTES, "the ceiling of what is stored");

void transcript_key(const struct transcript_name *n, char out[STORE_KEY_MAX + 1])
{
    struct str parts[] = {STR("transcripts"), str_of(n->tenant), str_of(n->session_id)};
    char session[UUID_TEXT];

    uuid_v8(parts, COUNTOF(parts), session);
    (void)snprintf(out, STORE_KEY_MAX + 1, "transcripts/%s/%s.%" PRId64 ".%" PRId64, session,
                   n->run_id, n->attempt, n->epoch);
}

static void hash_of(const struct buf *b, char out[TRANSCRIPT_HASH_TEXT])
{
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, (const uint8_t *)b->p, b->len);
    sodium_bin2hex(out, TRANSCRIPT_HASH_TEXT, hash, sizeof(hash));
}

/* Whatever the secret's form is, the cipher's key is 32 bytes of it. */
static void cipher_key(const struct secret *seal,
                       uint8_t out[crypto_aead_xchacha20poly1305_ietf_KEYBYTES])
{
    static const uint8_t use[] = "sandfleet transcripts";
    struct str s = secret_value(seal);

    (void)crypto_generichash(out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, (const uint8_t *)s.p,
                             s.n, use, sizeof(use) - 1);
}

static enum err_code seal(const struct secret *key, const char *name, const struct buf *text,
                          struct buf *out, struct err *err)
{
    uint8_t cipher[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];

    *out = BUF_INIT(SEALED_BYTES + text->len);
    uint8_t *room = (uint8_t *)buf_room(out, out->max);
    if (!room)
        return err_set(err, ERR_NOMEM, "a transcript of %zu bytes", text->len);
    memcpy(room, MARK, MARK_BYTES);
    randombytes_buf(room + MARK_BYTES, NONCE_BYTES);
    cipher_key(key, cipher);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        room + MARK_BYTES + NONCE_BYTES, NULL, (const uint8_t *)text->p, text->len,
        (const uint8_t *)name, strlen(name), NULL, room + MARK_BYTES, cipher);
    sodium_memzero(cipher, sizeof(cipher));
    buf_grew(out, out->max);
    return ERR_OK;
}

enum err_code transcript_close(const struct secret *seal_key, const char *key, struct buf *text,
                               struct buf *out, char hash[TRANSCRIPT_HASH_TEXT], struct err *err)
{
    enum err_code rc = ERR_OK;

    if (seal_key) {
        rc = seal(seal_key, key, text, out, err);
        buf_release(text);
    } else {
        *out = *text;
        *text = BUF_INIT(text->max);
    }
    if (rc == ERR_OK)
        hash_of(out, hash);
    return rc;
}

static enum err_code unseal(const struct secret *key, const char *name, const struct buf *stored,
                            struct buf *out, struct err *err)
{
    uint8_t cipher[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    const uint8_t *nonce = (const uint8_t *)stored->p + MARK_BYTES;

    if (!key)
        return err_set(err, ERR_CONFIG, "the transcript is sealed, and there is no store key");
    if (stored->len < SEALED_BYTES)
        return err_set(err, ERR_INVALID, "the sealed transcript is cut short");
    *out = BUF_INIT(stored->len);
    uint8_t *room = (uint8_t *)buf_room(out, out->max);
    if (!room)
        return err_set(err, ERR_NOMEM, "a transcript of %zu bytes", stored->len);
    cipher_key(key, cipher);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        room, NULL, NULL, nonce + NONCE_BYTES, stored->len - MARK_BYTES - NONCE_BYTES,
        (const uint8_t *)name, strlen(name), nonce, cipher);
    sodium_memzero(cipher, sizeof(cipher));
    if (rc != 0) {
        buf_release(out);
        return err_set(err, ERR_CONFIG, "the transcript was sealed with another key");
    }
    buf_grew(out, stored->len - SEALED_BYTES);
    return ERR_OK;
}

enum err_code transcript_open(const struct secret *seal_key, const char *key, const char *hash,
                              struct buf *stored, struct buf *out, struct err *err)
{
    char have[TRANSCRIPT_HASH_TEXT];
    enum err_code rc = ERR_OK;

    hash_of(stored, have);
    if (strcmp(have, hash) != 0)
        return err_set(err, ERR_INVALID, "the transcript is not the one that was stored");
    if (str_starts(buf_str(stored), MARK)) {
        rc = unseal(seal_key, key, stored, out, err);
        buf_release(stored);
        return rc;
    }
    *out = *stored;
    *stored = BUF_INIT(stored->max);
    return rc;
}

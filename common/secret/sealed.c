/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret/sealed.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

#define ENCRYPT crypto_aead_xchacha20poly1305_ietf_encrypt
#define DECRYPT crypto_aead_xchacha20poly1305_ietf_decrypt

static_assert((int)SEALED_NONCE_BYTES == (int)crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "");
static_assert((int)SEALED_TAG_BYTES == (int)crypto_aead_xchacha20poly1305_ietf_ABYTES, "");
static_assert((int)KEY_BYTES == (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "");

/* --- additional data ---------------------------------------------------------- */

enum { AD_BYTES = 32 };

static void add(crypto_generichash_state *h, struct str s)
{
    uint8_t n[8];

    for (size_t i = 0; i < sizeof(n); i++)
        n[i] = (uint8_t)((uint64_t)s.n >> 8 * i);
    (void)crypto_generichash_update(h, n, sizeof(n));
    (void)crypto_generichash_update(h, (const uint8_t *)s.p, s.n);
}

/* A hash of the parts, each behind its length: no two lists of parts have the same. */
static void additional(const char *use, const char *key_id, struct sealed_about about,
                       uint8_t out[AD_BYTES])
{
    crypto_generichash_state h;

    (void)crypto_generichash_init(&h, NULL, 0, AD_BYTES);
    add(&h, STR("sandfleet sealed 1"));
    add(&h, str_of(use));
    add(&h, str_of(key_id));
    for (size_t i = 0; i < about.n; i++)
        add(&h, about.part[i]);
    (void)crypto_generichash_final(&h, out, AD_BYTES);
}

/* --- the data key ------------------------------------------------------------- */

static enum err_code wrap(const struct keyring *k, struct sealed_about about,
                          const uint8_t data_key[KEY_BYTES], struct sealed *s, struct err *err)
{
    const char *id = keyring_size(k) > 0 ? keyring_id(k, 0) : NULL;
    uint8_t ad[AD_BYTES];

    if (!id)
        return err_set(err, ERR_CONFIG, "there is no master key to seal with");
    additional("wrap", id, about, ad);
    randombytes_buf(s->wrapped, SEALED_NONCE_BYTES);
    (void)ENCRYPT(s->wrapped + SEALED_NONCE_BYTES, NULL, data_key, KEY_BYTES, ad, sizeof(ad), NULL,
                  s->wrapped, keyring_key(k, id));
    memcpy(s->key_id, id, KEY_ID_TEXT);
    return ERR_OK;
}

static enum err_code unwrap(const struct keyring *k, struct sealed_about about,
                            const struct sealed *s, uint8_t data_key[KEY_BYTES], struct err *err)
{
    const uint8_t *key = keyring_key(k, s->key_id);
    uint8_t ad[AD_BYTES];

    if (!key)
        return err_set(err, ERR_NOT_FOUND, "its master key %s is not among those that are here",
                       s->key_id);
    additional("wrap", s->key_id, about, ad);
    if (DECRYPT(data_key, NULL, NULL, s->wrapped + SEALED_NONCE_BYTES,
                SEALED_WRAPPED_BYTES - SEALED_NONCE_BYTES, ad, sizeof(ad), s->wrapped, key) != 0)
        return err_set(err, ERR_INVALID, "its data key was changed, or is another one's");
    return ERR_OK;
}

/* --- the secret --------------------------------------------------------------- */

enum err_code sealed_close(const struct keyring *k, struct sealed_about about,
                           const struct secret *plain, struct sealed *out, struct err *err)
{
    struct str text = secret_value(plain);
    uint8_t data_key[KEY_BYTES], ad[AD_BYTES];

    *out = (struct sealed){.box = BUF_INIT(SEALED_BOX_MAX_BYTES)};
    uint8_t *box = (uint8_t *)buf_room(&out->box, text.n + SEALED_OVER_BYTES);
    if (!box)
        return err_set(err, out->box.rc, "a sealed secret");
    randombytes_buf(data_key, sizeof(data_key));
    enum err_code rc = wrap(k, about, data_key, out, err);
    if (rc == ERR_OK) {
        additional("seal", "", about, ad);
        randombytes_buf(box, SEALED_NONCE_BYTES);
        (void)ENCRYPT(box + SEALED_NONCE_BYTES, NULL, (const uint8_t *)text.p, text.n, ad,
                      sizeof(ad), NULL, box, data_key);
        buf_grew(&out->box, text.n + SEALED_OVER_BYTES);
    } else {
        sealed_release(out);
    }
    sodium_memzero(data_key, sizeof(data_key));
    return rc;
}

static enum err_code open_box(const uint8_t data_key[KEY_BYTES], struct sealed_about about,
                              const struct buf *box, struct secret **plain, struct err *err)
{
    const uint8_t *nonce = (const uint8_t *)box->p;
    uint8_t ad[AD_BYTES];
    char *room = NULL;

    if (box->len <= SEALED_OVER_BYTES || box->len > SEALED_BOX_MAX_BYTES)
        return err_set(err, ERR_INVALID, "it is %zu bytes long, which no sealed secret is",
                       box->len);
    enum err_code rc = secret_room(box->len - SEALED_OVER_BYTES, plain, &room, err);
    if (rc != ERR_OK)
        return rc;
    additional("seal", "", about, ad);
    if (DECRYPT((uint8_t *)room, NULL, NULL, nonce + SEALED_NONCE_BYTES,
                box->len - SEALED_NONCE_BYTES, ad, sizeof(ad), nonce, data_key) != 0)
        rc = err_set(err, ERR_INVALID, "it was changed, or is another one's");
    else
        rc = secret_check(secret_value(*plain), err);
    if (rc != ERR_OK) {
        secret_free(*plain);
        *plain = NULL;
    }
    return rc;
}

enum err_code sealed_open(const struct keyring *k, struct sealed_about about,
                          const struct sealed *s, struct secret **plain, struct err *err)
{
    uint8_t data_key[KEY_BYTES];
    enum err_code rc = unwrap(k, about, s, data_key, err);

    *plain = NULL;
    if (rc == ERR_OK)
        rc = open_box(data_key, about, &s->box, plain, err);
    sodium_memzero(data_key, sizeof(data_key));
    return rc;
}

enum err_code sealed_rewrap(const struct keyring *k, struct sealed_about about, struct sealed *s,
                            struct err *err)
{
    uint8_t data_key[KEY_BYTES];
    enum err_code rc = unwrap(k, about, s, data_key, err);

    if (rc == ERR_OK)
        rc = wrap(k, about, data_key, s, err);
    sodium_memzero(data_key, sizeof(data_key));
    return rc;
}

void sealed_release(struct sealed *s)
{
    buf_release(&s->box);
    *s = (struct sealed){0};
}

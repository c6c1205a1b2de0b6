/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret/keyring.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { ID_BYTES = (KEY_ID_TEXT - 1) / 2 };

struct keyring {
    uint64_t n; /* as wide as the rest is aligned */
    struct {
        uint8_t key[KEY_BYTES];
        char id[KEY_ID_TEXT];
    } of[KEYRING_MAX];
};

/* sodium_malloc'ed memory ends where the guard page begins. */
static_assert(sizeof(struct keyring) % _Alignof(struct keyring) == 0, "");

/* --- text --------------------------------------------------------------------- */

static void name_key(const uint8_t key[KEY_BYTES], char out[KEY_ID_TEXT])
{
    static const uint8_t use[] = "sandfleet master key";
    uint8_t id[crypto_generichash_BYTES_MIN];

    (void)crypto_generichash(id, sizeof(id), use, sizeof(use) - 1, key, KEY_BYTES);
    (void)sodium_bin2hex(out, KEY_ID_TEXT, id, ID_BYTES);
}

static enum err_code add_line(struct keyring *k, struct str line, struct err *err)
{
    const char *end = NULL;
    size_t n = 0;

    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return ERR_OK;
    if (k->n == KEYRING_MAX)
        return err_set(err, ERR_CONFIG, "more than %d master keys", KEYRING_MAX);
    uint8_t *key = k->of[k->n].key;
    if (sodium_hex2bin(key, KEY_BYTES, line.p, line.n, NULL, &n, &end) != 0 || n != KEY_BYTES ||
        end != line.p + line.n)
        return err_set(err, ERR_CONFIG,
                       "want a master key of %d hex digits: make one by `openssl rand -hex %d`",
                       2 * KEY_BYTES, KEY_BYTES);
    name_key(key, k->of[k->n].id);
    if (keyring_key(k, k->of[k->n].id))
        return err_set(err, ERR_CONFIG, "this master key is there already");
    k->n++;
    return ERR_OK;
}

/* libsodium locks where it may, and says nothing where it may not. */
static enum err_code lock(struct keyring *k, struct err *err)
{
    if (sodium_mlock(k, sizeof(*k)) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "the master keys cannot be kept out of swap: raise the limit of locked memory "
                   "(ulimit -l, LimitMEMLOCK=) to 1 MiB");
}

enum err_code keyring_parse(struct str text, struct keyring **out, struct err *err)
{
    struct keyring *k;
    enum err_code rc = ERR_OK;
    struct str line;

    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium cannot be initialized");
    k = sodium_malloc(sizeof(*k));
    if (!k)
        return err_set(err, ERR_NOMEM, "master keys: no locked memory");
    k->n = 0;
    rc = lock(k, err);
    for (int number = 1; rc == ERR_OK && text.n > 0 && str_next(&text, '\n', &line); number++) {
        rc = add_line(k, line, err);
        if (rc != ERR_OK)
            (void)err_wrap(err, "line %d", number);
    }
    if (rc == ERR_OK && k->n == 0)
        rc = err_set(err, ERR_CONFIG, "there is no master key in it");
    if (rc != ERR_OK) {
        keyring_free(k);
        return rc;
    }
    *out = k;
    return ERR_OK;
}

/* --- looking ------------------------------------------------------------------ */

size_t keyring_size(const struct keyring *k)
{
    return k ? k->n : 0;
}

const char *keyring_id(const struct keyring *k, size_t i)
{
    return k->of[i].id;
}

const uint8_t *keyring_key(const struct keyring *k, const char *id)
{
    for (size_t i = 0; i < keyring_size(k); i++)
        if (strcmp(k->of[i].id, id) == 0)
            return k->of[i].key;
    return NULL;
}

void keyring_free(struct keyring *k)
{
    sodium_free(k);
}

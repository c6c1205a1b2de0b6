/* SPDX-License-Identifier: Apache-2.0 */
/* A secret at rest. A data key of its own encrypts it, and a master key (keyring.h) wraps the data
 * key: another master key means wrapping 32 bytes anew, the secret itself is not touched. Both by
 * XChaCha20-Poly1305, and both bound to what the secret is about (whose, its name, its kind): what
 * was put into another row, or changed, does not open.
 *
 *   wrapped = nonce 24 | encrypted data key 32 | tag 16    additional data: "wrap", key id, about
 *   box     = nonce 24 | encrypted secret      | tag 16    additional data: "seal", about
 *
 * Blocks nowhere; any thread. */
#ifndef SANDFLEET_COMMON_SECRET_SEALED_H
#define SANDFLEET_COMMON_SECRET_SEALED_H

#include "common/secret/keyring.h"
#include "common/secret/secret.h"

enum {
    SEALED_NONCE_BYTES = 24,
    SEALED_TAG_BYTES = 16,
    SEALED_WRAPPED_BYTES = SEALED_NONCE_BYTES + KEY_BYTES + SEALED_TAG_BYTES,
    SEALED_OVER_BYTES = SEALED_NONCE_BYTES + SEALED_TAG_BYTES, /* of a box over its secret */
    SEALED_BOX_MAX_BYTES = SECRET_MAX_BYTES + SEALED_OVER_BYTES
};

struct sealed { /* zero: nothing; release it */
    char key_id[KEY_ID_TEXT];
    uint8_t wrapped[SEALED_WRAPPED_BYTES];
    struct buf box;
};

struct sealed_about { /* borrowed; the order and the number of the parts count, too */
    const struct str *part;
    size_t n;
};

/* With the keyring's first key. ERR_CONFIG: it has none. ERR_NOMEM. */
enum err_code sealed_close(const struct keyring *k, struct sealed_about about,
                           const struct secret *plain, struct sealed *out,
                           struct err *err) MUST_USE;

/* *plain is yours, in locked memory. ERR_NOT_FOUND: the keyring lacks its key. ERR_INVALID: it was
 * changed, or is about something else. ERR_NOMEM. */
enum err_code sealed_open(const struct keyring *k, struct sealed_about about,
                          const struct sealed *s, struct secret **plain, struct err *err) MUST_USE;

/* Wraps the data key with the keyring's first key; on failure *s is as it was. As sealed_open. */
enum err_code sealed_rewrap(const struct keyring *k, struct sealed_about about, struct sealed *s,
                            struct err *err) MUST_USE;

void sealed_release(struct sealed *s);

#endif

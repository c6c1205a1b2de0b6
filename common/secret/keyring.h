/* SPDX-License-Identifier: Apache-2.0 */
/* Master keys: what data keys are wrapped with (sealed.h). The first of a keyring wraps, all of
 * them open, so that a new one can be brought in while rows of the old one are in use. A key's id
 * is derived from it: nobody gives names, and none can be given to the wrong key. */
#ifndef SANDFLEET_COMMON_SECRET_KEYRING_H
#define SANDFLEET_COMMON_SECRET_KEYRING_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    KEY_BYTES = 32,
    KEY_ID_TEXT = 17, /* 16 hex digits and a NUL */
    KEYRING_MAX = 16,
    KEYRING_FILE_BYTES = 16 * 1024
};

/* Where systemd puts them (LoadCredential=, LoadCredentialEncrypted=), when nothing else is said:
 * a file of this name in $CREDENTIALS_DIRECTORY. */
#define KEYRING_CREDENTIAL "sandfleet-master-keys"

struct keyring; /* opaque; locked memory, wiped when freed */

struct keyring_source {
    const char *file;    /* that group and others cannot read; NULL: none */
    const char *command; /* given to /bin/sh; its output is as the file's. NULL: none */
};

/* A key a line, as 64 hex digits (`openssl rand -hex 32`); empty lines, and those that begin with
 * '#', do not count. ERR_CONFIG names the line, never what is in it, and also where the keys'
 * memory cannot be locked. */
enum err_code keyring_parse(struct str text, struct keyring **out, struct err *err) MUST_USE;

/* From the source, else from systemd's credential. *out NULL: there is neither. Blocks, half a
 * minute at most: for before the loop. */
enum err_code keyring_open(const struct keyring_source *from, struct keyring **out,
                           struct err *err) MUST_USE;

size_t keyring_size(const struct keyring *k);                        /* NULL: 0 */
const char *keyring_id(const struct keyring *k, size_t i);           /* [0] is the one that wraps */
const uint8_t *keyring_key(const struct keyring *k, const char *id); /* NULL: not among them */

void keyring_free(struct keyring *k); /* NULL is fine */

#endif

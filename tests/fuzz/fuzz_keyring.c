/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a file of master keys holds, each key that is read from it is found by its id,
 * and a message tells nothing of it. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "common/secret/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOLD = 12 /* hex digits in a row that a number of a line is not */ };

static void check_message(const char *msg)
{
    size_t run = 0;

    for (; *msg; msg++) {
        run = isxdigit((unsigned char)*msg) ? run + 1 : 0;
        assert(run < TOLD);
    }
}

static void check_keys(const struct keyring *k)
{
    assert(keyring_size(k) > 0 && keyring_size(k) <= KEYRING_MAX);
    for (size_t i = 0; i < keyring_size(k); i++) {
        assert(strlen(keyring_id(k, i)) == KEY_ID_TEXT - 1);
        assert(keyring_key(k, keyring_id(k, i)));
    }
    assert(!keyring_key(k, "0123456789abcdefx"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyring *k = NULL;
    struct err err = ERR_INIT;

    if (keyring_parse((struct str){(const char *)data, size}, &k, &err) == ERR_OK)
        check_keys(k);
    else
        check_message(err.msg);
    keyring_free(k);
    return 0;
}

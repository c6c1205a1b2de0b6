/* SPDX-License-Identifier: Apache-2.0 */
/* Property: masking overwrites exactly the bytes that belong to an occurrence of a secret, as
 * a search for each secret by itself, in the text as it was, finds them.
 * The input: up to three secrets and the text, one a line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

enum { SECRETS = 3, LEAST = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t mask_naively(char *out, struct str text, struct secret *const *secrets)
{
    size_t found = 0;

    for (size_t i = 0; i < SECRETS; i++) {
        struct str s = secret_value(secrets[i]);

        for (size_t at = 0; s.n >= LEAST && at + s.n <= text.n; at++)
            if (memcmp(text.p + at, s.p, s.n) == 0) {
                memset(out + at, '*', s.n);
                found++;
            }
    }
    return found;
}

static void compare(struct str text, struct secret *const *secrets)
{
    char *fast = str_dup(text), *naive = str_dup(text);

    assert(fast && naive);
    assert(secret_mask(fast, text.n, secrets, SECRETS) == mask_naively(naive, text, secrets));
    assert(memcmp(fast, naive, text.n) == 0);
    free(fast);
    free(naive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, line;
    struct secret *secrets[SECRETS] = {0};

    for (size_t i = 0; i < SECRETS && str_next(&rest, '\n', &line); i++)
        if (secret_new(line, &secrets[i], NULL) != ERR_OK)
            assert(!secrets[i]);
    if (rest.p)
        compare(rest, secrets);
    for (size_t i = 0; i < SECRETS; i++)
        secret_free(secrets[i]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever the bytes, the verdict is the same however they are cut into pieces; and with
 * its checksums mended, so that the parser gets behind them, too. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/workspace/tar_check.h"

enum { BLOCK = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code look(struct str in, size_t bite, int64_t strip, struct err *err)
{
    struct tar_check *t = tar_check_new(strip);
    enum err_code rc = ERR_OK;

    assert(t);
    while (rc == ERR_OK && in.n > 0) {
        size_t n = in.n < bite ? in.n : bite;

        rc = tar_check_feed(t, (struct str){in.p, n}, err);
        in = (struct str){in.p + n, in.n - n};
    }
    if (rc == ERR_OK)
        rc = tar_check_end(t, err);
    tar_check_free(t);
    return rc;
}

static void both(struct str in)
{
    struct err whole = ERR_INIT, cut = ERR_INIT;
    int64_t strip = (int64_t)(in.n % 3);
    enum err_code rc = look(in, in.n + 1, strip, &whole);

    assert(rc == ERR_OK || (rc == ERR_INVALID && whole.msg[0]));
    assert(look(in, 1 + in.n % 700, strip, &cut) == rc);
    assert(rc == ERR_OK || strcmp(whole.msg, cut.msg) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *mended = malloc(size + 1);

    both((struct str){(const char *)data, size});
    if (!mended)
        return 0;
    memcpy(mended, data, size);
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
        unsigned sum = 0;
        char text[16];

        memset(mended + at + 148, ' ', 8);
        for (size_t i = 0; i < BLOCK; i++)
            sum += (unsigned char)mended[at + i];
        (void)snprintf(text, sizeof(text), "%06o", sum);
        memcpy(mended + at + 148, text, 7);
    }
    both((struct str){mended, size});
    free(mended);
    return 0;
}

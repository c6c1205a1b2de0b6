/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a gzip body is refused with a reason, or gives the same bytes however it is cut into
 * pieces, never more than its ceiling; and these bytes survive another round. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/gzip.h"

enum { CEILING = 256 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code by_pieces(struct str in, size_t bite, struct buf *out, struct err *err)
{
    struct gzip *z = gzip_unpacker(CEILING);
    enum err_code rc = ERR_OK;
    size_t n = 0;
    char to[97];

    while (z != NULL && rc == ERR_OK && (in.n > 0 || n == sizeof(to) || !gzip_done(z))) {
        struct str piece = {in.p, in.n < bite ? in.n : bite};
        size_t given = piece.n;

        rc = gzip_step(z, &piece, given == in.n, to, sizeof(to), &n, err);
        in = (struct str){in.p + (given - piece.n), in.n - (given - piece.n)};
        if (rc == ERR_OK)
            buf_add(out, to, n);
    }
    gzip_free(z);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    AUTO_BUF once = BUF_INIT(CEILING), cut = BUF_INIT(CEILING), packed = BUF_INIT(2 * CEILING),
             again = BUF_INIT(CEILING);
    struct err err = ERR_INIT, other = ERR_INIT;
    enum err_code rc = gzip_unpack(in, &once, &err);

    enum err_code rc_cut = by_pieces(in, 1 + size % 13, &cut, &other);

    assert((rc_cut == ERR_OK) == (rc == ERR_OK)); /* too big and damaged: either may show first */
    if (rc != ERR_OK) {
        assert((rc == ERR_INVALID || rc == ERR_TOO_BIG) && err.msg[0] != '\0');
        return 0;
    }
    assert(str_eq(buf_str(&once), buf_str(&cut)));
    rc = gzip_pack(buf_str(&once), &packed, &err);
    assert(rc == ERR_OK);
    rc = gzip_unpack(buf_str(&packed), &again, &err);
    assert(rc == ERR_OK && str_eq(buf_str(&once), buf_str(&again)));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/inspect.h"

#include <string.h>

#include "common/banned.h"

enum { ROOM_BYTES = 64 << 10 };

enum err_code inspect_init(struct inspect *in, int64_t strip, struct err *err)
{
    in->gzip = gzip_unpacker(TAR_UNPACKED_MAX + TAR_UNPACKED_MAX / 8);
    in->tar = tar_check_new(strip);
    (void)crypto_hash_sha256_init(&in->sum);
    return in->gzip && in->tar ? ERR_OK : err_set(err, ERR_NOMEM, "archive");
}

void inspect_release(struct inspect *in)
{
    gzip_free(in->gzip);
    tar_check_free(in->tar);
    *in = (struct inspect){0};
}

/* A bomb is the archive's fault, not ours. */
static enum err_code unpack(struct inspect *in, struct str piece, bool last, struct err *err)
{
    char room[ROOM_BYTES];
    size_t n = sizeof(room);

    while (piece.n > 0 || n == sizeof(room)) {
        enum err_code rc = gzip_step(in->gzip, &piece, last, room, sizeof(room), &n, err);

        if (rc == ERR_TOO_BIG)
            return err_set(err, ERR_INVALID, "archive: over 1 GiB when unpacked");
        if (rc == ERR_INVALID)
            return err_set(err, ERR_INVALID, "archive: no gzip, or a damaged one");
        in->unpacked += (int64_t)n;
        if (rc == ERR_OK)
            rc = tar_check_feed(in->tar, (struct str){room, n}, err);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code inspect_feed(struct inspect *in, struct str piece, struct err *err)
{
    (void)crypto_hash_sha256_update(&in->sum, (const unsigned char *)piece.p, piece.n);
    return unpack(in, piece, false, err);
}

enum err_code inspect_end(struct inspect *in, const char *sha256, struct err *err)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char text[2 * sizeof(sum) + 1];
    enum err_code rc = unpack(in, (struct str){0}, true, err);

    if (rc == ERR_OK && !gzip_done(in->gzip))
        rc = err_set(err, ERR_INVALID, "archive: the gzip is cut short");
    if (rc == ERR_OK)
        rc = tar_check_end(in->tar, err);
    (void)crypto_hash_sha256_final(&in->sum, sum);
    sodium_bin2hex(text, sizeof(text), sum, sizeof(sum));
    if (rc == ERR_OK && sha256 && strcmp(sha256, text) != 0)
        rc = err_set(err, ERR_INVALID, "archive: its sha256 is %s, not as the request says", text);
    return rc;
}

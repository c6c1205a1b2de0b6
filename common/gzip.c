/* SPDX-License-Identifier: Apache-2.0 */
#include "common/gzip.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "common/banned.h"

enum { WITH_GZIP_HEAD = 16, MEMORY = 8, CHUNK_BYTES = 16 << 10 };

struct gzip {
    z_stream z;
    int64_t left; /* of the ceiling; a packer has none */
    bool packs, done;
};

static struct gzip *gzip_new(bool packs, int64_t max_bytes)
{
    struct gzip *g = calloc(1, sizeof(*g));
    int rc;

    if (g == NULL)
        return NULL;
    g->packs = packs;
    g->left = max_bytes;
    rc = packs ? deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + WITH_GZIP_HEAD,
                              MEMORY, Z_DEFAULT_STRATEGY)
               : inflateInit2(&g->z, MAX_WBITS + WITH_GZIP_HEAD);
    if (rc == Z_OK)
        return g;
    free(g);
    return NULL;
}

struct gzip *gzip_packer(void)
{
    return gzip_new(true, INT64_MAX);
}

struct gzip *gzip_unpacker(int64_t max_bytes)
{
    return gzip_new(false, max_bytes);
}

void gzip_free(struct gzip *z)
{
    if (z == NULL)
        return;
    if (z->packs)
        (void)deflateEnd(&z->z);
    else
        (void)inflateEnd(&z->z);
    free(z);
}

bool gzip_done(const struct gzip *z)
{
    return z->done;
}

static uInt part(size_t n)
{
    return n > UINT_MAX ? UINT_MAX : (uInt)n;
}

/* Another body may follow the first in the same text: they count as one. */
static int inflate_on(struct gzip *g)
{
    int rc = Z_OK;

    while (rc == Z_OK && g->z.avail_out > 0 && (g->z.avail_in > 0 || !g->done)) {
        if (g->done)
            (void)inflateReset(&g->z);
        g->done = false;
        rc = inflate(&g->z, Z_NO_FLUSH);
        g->done = rc == Z_STREAM_END;
        if (g->done)
            rc = Z_OK;
    }
    return rc;
}

static enum err_code said(const struct gzip *g, int rc, bool starved, struct err *err)
{
    if (rc == Z_MEM_ERROR)
        return err_set(err, ERR_NOMEM, "gzip");
    if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
        return err_set(err, ERR_INVALID, "gzip: %s", g->z.msg != NULL ? g->z.msg : "damaged");
    if (g->left < 0)
        return err_set(err, ERR_TOO_BIG, "gzip: what comes out is over its ceiling");
    if (starved)
        return err_set(err, ERR_INVALID, "gzip: unexpected end");
    return ERR_OK;
}

enum err_code gzip_step(struct gzip *g, struct str *in, bool last, char *to, size_t room, size_t *n,
                        struct err *err)
{
    int rc;

    assert(room > 0);
    g->z.next_in = (const Bytef *)in->p;
    g->z.avail_in = part(in->n);
    g->z.next_out = (Bytef *)to;
    g->z.avail_out = part(room);
    size_t taken = g->z.avail_in, offered = g->z.avail_out;
    if (g->packs) {
        rc = deflate(&g->z, last && taken == in->n ? Z_FINISH : Z_NO_FLUSH);
        g->done = rc == Z_STREAM_END;
    } else {
        rc = inflate_on(g);
    }
    taken -= g->z.avail_in;
    *in = (struct str){in->n > 0 ? in->p + taken : in->p, in->n - taken};
    *n = offered - g->z.avail_out;
    g->left -= g->packs ? 0 : (int64_t)*n;
    return said(g, rc, !g->packs && last && in->n == 0 && *n < room && !g->done, err);
}

static enum err_code whole(struct gzip *g, struct str in, struct buf *out, struct err *err)
{
    enum err_code rc = g != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "gzip");
    size_t n = CHUNK_BYTES;

    while (rc == ERR_OK && (in.n > 0 || n == CHUNK_BYTES)) {
        char chunk[CHUNK_BYTES];

        rc = gzip_step(g, &in, true, chunk, sizeof(chunk), &n, err);
        if (rc == ERR_OK)
            buf_add(out, chunk, n);
        if (rc == ERR_OK && out->rc != ERR_OK)
            rc = err_set(err, out->rc, "gzip: what comes out is over its ceiling");
    }
    gzip_free(g);
    return rc;
}

enum err_code gzip_pack(struct str in, struct buf *out, struct err *err)
{
    return whole(gzip_packer(), in, out, err);
}

enum err_code gzip_unpack(struct str in, struct buf *out, struct err *err)
{
    return whole(gzip_unpacker((int64_t)(out->max - out->len)), in, out, err);
}

/* "q=0", "q=0.0" … of the parameters behind a name. */
static bool refused(struct str parameters)
{
    struct str p;

    while (str_next(&parameters, ';', &p)) {
        p = str_trim(p);
        if (!str_starts(p, "q=0"))
            continue;
        for (size_t i = 3; i < p.n; i++)
            if (p.p[i] != '.' && p.p[i] != '0')
                return false;
        return true;
    }
    return false;
}

bool gzip_accepted(const char *header)
{
    struct str rest = str_of(header), one, name;
    bool any = false;

    while (str_next(&rest, ',', &one)) {
        if (!str_next(&one, ';', &name))
            continue;
        name = str_trim(name);
        if (name.n == 4 && strncasecmp(name.p, "gzip", 4) == 0)
            return !refused(one);
        any = any || (str_is(name, "*") && !refused(one));
    }
    return any;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_pack.h"

#include <stdlib.h>
#include <unistd.h>

#include "sandboxd/web/gate.h"
#include "common/gzip.h"

#include "common/banned.h"

enum { BLOCK_BYTES = 32 << 10 };

struct packing {
    struct gzip *gzip;
    struct gate *gate;
    int fd;
    off_t at; /* as far as it was read */
    bool last;
    struct str rest; /* of block */
    char block[BLOCK_BYTES];
};

/* More than 0: packed bytes; 0: the end. */
static ssize_t pack(struct packing *p, char *to, size_t max)
{
    size_t n = 0;

    while (n == 0 && !gzip_done(p->gzip)) {
        if (p->rest.n == 0 && !p->last) {
            ssize_t got = pread(p->fd, p->block, sizeof(p->block), p->at);

            if (got < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
            p->last = got == 0;
            p->at += got;
            p->rest = (struct str){p->block, (size_t)got};
        }
        if (gzip_step(p->gzip, &p->rest, p->last, to, max, &n, NULL) != ERR_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t on_read(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct packing *p = ctx;
    ssize_t answer;

    (void)pos;
    if (!gate_ask(p->gate, &max, &answer))
        return answer;
    ssize_t n = pack(p, to, max);
    if (n > 0)
        gate_passed(p->gate, (size_t)n);
    return n;
}

static void on_free(void *ctx)
{
    struct packing *p = ctx;

    gate_free(p->gate);
    gzip_free(p->gzip);
    (void)close(p->fd);
    free(p);
}

struct MHD_Response *file_packed(struct request *r, int fd)
{
    struct packing *p = malloc(sizeof(*p));
    struct MHD_Response *m = NULL;

    if (p == NULL) {
        (void)close(fd);
        return NULL;
    }
    p->gzip = gzip_packer();
    p->gate = gate_new(r);
    p->fd = fd;
    p->at = 0;
    p->last = false;
    p->rest = (struct str){0};
    if (p->gzip != NULL)
        m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, p, on_free);
    if (m == NULL)
        on_free(p);
    return m;
}

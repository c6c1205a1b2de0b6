/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/pipe.h"

#include <string.h>

#include "common/http/http.h"
#include "common/banned.h"

static size_t left(const struct pipe *p)
{
    return p->bytes.len - p->at;
}

bool pipe_add(struct pipe *p, struct str piece)
{
    buf_addstr(&p->bytes, piece);
    return p->bytes.rc == ERR_OK;
}

ssize_t pipe_take(struct pipe *p, char *to, size_t room)
{
    size_t n = left(p) < room ? left(p) : room;

    if (n == 0)
        return p->whole ? 0 : HTTP_LATER;
    memcpy(to, p->bytes.p + p->at, n);
    p->at += n;
    if (p->at > PIPE_HIGH_BYTES || p->at == p->bytes.len) {
        buf_drop(&p->bytes, p->at);
        p->at = 0;
    }
    return (ssize_t)n;
}

bool pipe_full(const struct pipe *p)
{
    return left(p) > PIPE_HIGH_BYTES;
}

bool pipe_low(const struct pipe *p)
{
    return left(p) < PIPE_LOW_BYTES;
}

void pipe_release(struct pipe *p)
{
    buf_release(&p->bytes);
    p->at = 0;
}

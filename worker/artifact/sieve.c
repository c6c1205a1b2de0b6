/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifact/sieve.h"

#include <string.h>

#include "common/banned.h"

enum { WINDOW_MAX_BYTES = 1 << 20 };

void sieve_init(struct sieve *s, const struct redactor *r, unsigned flags)
{
    size_t longest = redactor_longest(r);

    *s = (struct sieve){.redactor = r,
                        .flags = flags,
                        .keep = longest > 0 ? longest - 1 : 0,
                        .raw = BUF_INIT(WINDOW_MAX_BYTES),
                        .masked = BUF_INIT(WINDOW_MAX_BYTES)};
}

void sieve_release(struct sieve *s)
{
    buf_release(&s->raw);
    buf_release(&s->masked);
}

static void count(struct sieve *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool changed = s->raw.p[i] != s->masked.p[i];

        s->stretches += changed && !s->in_stretch;
        s->in_stretch = changed;
    }
}

static enum err_code give(struct sieve *s, size_t n, struct buf *out)
{
    count(s, n);
    if (out)
        buf_add(out, s->masked.p, n);
    buf_drop(&s->raw, n);
    buf_drop(&s->masked, n);
    return out ? out->rc : ERR_OK;
}

/* All is looked for in what came in, never in what was overwritten: that would hide a longer secret
 * behind a shorter one. What an earlier look overwrote stays so, its beginning may be gone. */
static enum err_code look(struct sieve *s)
{
    AUTO_BUF fresh = BUF_INIT(WINDOW_MAX_BYTES);

    buf_addstr(&fresh, buf_str(&s->raw));
    if (fresh.rc != ERR_OK)
        return fresh.rc;
    if (redactor_cut(s->redactor, fresh.p, fresh.len, s->flags) == 0)
        return ERR_OK;
    s->any = true;
    for (size_t i = 0; i < fresh.len; i++)
        if (fresh.p[i] != s->raw.p[i])
            s->masked.p[i] = fresh.p[i];
    return ERR_OK;
}

enum err_code sieve_feed(struct sieve *s, struct str piece, struct buf *out)
{
    enum err_code rc = ERR_OK;

    buf_addstr(&s->raw, piece);
    buf_addstr(&s->masked, piece);
    if (s->raw.rc != ERR_OK || s->masked.rc != ERR_OK)
        return ERR_NOMEM;
    if (s->keep > 0 && s->raw.len > 0)
        rc = look(s);
    return rc == ERR_OK && s->raw.len > s->keep ? give(s, s->raw.len - s->keep, out) : rc;
}

enum err_code sieve_end(struct sieve *s, struct buf *out)
{
    return s->raw.len > 0 ? give(s, s->raw.len, out) : ERR_OK;
}

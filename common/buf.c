/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { LEAST_CAP = 64 };

/* The next capacity: doubling, but never past what the ceiling can use. */
static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap < LEAST_CAP ? LEAST_CAP : b->cap;

    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap - 1 > b->max)
        cap = b->max + 1;
    return cap;
}

/* Room for n bytes and the NUL behind them. */
static bool reserve(struct buf *b, size_t n)
{
    size_t need, cap;
    char *p;

    if (b->rc != ERR_OK)
        return false;
    if (n > b->max - b->len || b->len + n > SIZE_MAX / 2) {
        b->rc = ERR_TOO_BIG;
        return false;
    }
    need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    cap = grown_cap(b, need);
    p = realloc(b->p, cap);
    if (!p) {
        b->rc = ERR_NOMEM;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n > 0)
        memcpy(b->p + b->len, p, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *cstr)
{
    buf_add(b, cstr, strlen(cstr));
}

void buf_addstr(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    if (!reserve(b, 0))
        return;
    va_copy(again, ap);
    n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
    assert(n >= 0); /* only a broken format fails */
    if ((size_t)n >= b->cap - b->len) {
        b->p[b->len] = '\0'; /* all or nothing */
        if (reserve(b, (size_t)n))
            (void)vsnprintf(b->p + b->len, b->cap - b->len, fmt, again);
    }
    va_end(again);
    if (b->rc == ERR_OK)
        b->len += (size_t)n;
}

char *buf_room(struct buf *b, size_t n)
{
    return reserve(b, n) ? b->p + b->len : NULL;
}

void buf_grew(struct buf *b, size_t n)
{
    assert(n < b->cap - b->len);
    b->len += n;
    b->p[b->len] = '\0';
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->p, b->p + n, b->len + 1);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->rc = ERR_OK;
    if (b->p)
        b->p[0] = '\0';
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->len};
}

char *buf_take(struct buf *b)
{
    char *p = NULL;

    if (b->rc == ERR_OK && reserve(b, 0)) {
        p = b->p;
        p[b->len] = '\0';
        b->p = NULL;
    }
    buf_release(b);
    return p;
}

void buf_release(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT(b->max);
}

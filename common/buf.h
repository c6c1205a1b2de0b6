/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes with a ceiling, and borrowed views of bytes. Any thread, one at a time. */
#ifndef SANDFLEET_COMMON_BUF_H
#define SANDFLEET_COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* A borrowed view; may hold NULs; p may be NULL when n is 0. */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).n, (s).p

struct str str_of(const char *cstr); /* NULL gives the empty view */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *cstr);
bool str_starts(struct str a, const char *prefix);
struct str str_trim(struct str s); /* without ASCII white space at both ends */
bool str_next(struct str *rest, char sep, struct str *out); /* next field; false: none left */
/* Decimal digits and nothing else, 0..max; false: *out is untouched. */
bool str_int(struct str s, int64_t max, int64_t *out);
char *str_dup(struct str s);                 /* yours; NULL: no memory */
bool str_utf8(struct str s, size_t *bad_at); /* strict UTF-8; the first bad byte's offset */

struct buf {
    char *p; /* NULL until the first append, then NUL-terminated */
    size_t len, cap, max;
    enum err_code rc; /* the first failure sticks: ERR_TOO_BIG or ERR_NOMEM */
};

#define BUF_INIT(limit) ((struct buf){.max = (limit)})
#define AUTO_BUF        AUTO(buf_release) struct buf

void buf_add(struct buf *b, const void *p, size_t n); /* no-op once rc is set */
void buf_adds(struct buf *b, const char *cstr);
void buf_addstr(struct buf *b, struct str s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);

/* Room for n more bytes at the end, not yet counted in len; NULL once rc is set.
 * Write there, then buf_grew(b, written). */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

void buf_drop(struct buf *b, size_t n);  /* forgets the first n bytes; n <= len */
void buf_clear(struct buf *b);           /* empty again, memory kept, rc OK */
struct str buf_str(const struct buf *b); /* borrowed until the next change */
/* Yours, NUL-terminated ("" when empty); NULL when rc is set or memory is out. b is empty. */
char *buf_take(struct buf *b);
void buf_release(struct buf *b); /* frees; b is empty with the same ceiling */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in bytes that come piece by piece: found and overwritten also where they lie across
 * pieces, or one is the beginning of another. No I/O. */
#ifndef SANDFLEET_WORKER_SIEVE_H
#define SANDFLEET_WORKER_SIEVE_H

#include <stdbool.h>

#include "common/secret/redact.h"

struct sieve {
    const struct redactor *redactor; /* borrowed */
    unsigned flags;                  /* redactor_cut's */
    size_t keep;                     /* so many bytes may be the beginning of one */
    struct buf raw;                  /* not given out yet… */
    struct buf masked;               /* …and the same with what is known to be one overwritten */
    bool any;                        /* in all that was fed */
    size_t stretches; /* overwritten ones, in what was given out; secrets side by side are one */
    bool in_stretch;
};

void sieve_init(struct sieve *s, const struct redactor *r, unsigned flags);
void sieve_release(struct sieve *s);
/* Appends to *out (NULL: nobody wants it) what no secret begins in any more. ERR_NOMEM. */
enum err_code sieve_feed(struct sieve *s, struct str piece, struct buf *out) MUST_USE;
enum err_code sieve_end(struct sieve *s, struct buf *out) MUST_USE; /* the rest */

#endif

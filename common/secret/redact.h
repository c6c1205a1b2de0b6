/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts secrets out of text: known ones, in each form in which they are likely to be printed (as
 * they are, in JSON once and twice, URL-encoded, hex, base64 at the three alignments and in lines),
 * and what looks like a key of a common format.
 *
 * What is known is not kept: only keyed hashes are, of each form's first eight bytes and of all of
 * it. So a redactor may live as long as its process, and a secret no longer than it is needed.
 *
 * One pass: a filter over each four bytes, then a hash, then the whole. Single-threaded. */
#ifndef SANDFLEET_COMMON_SECRET_REDACT_H
#define SANDFLEET_COMMON_SECRET_REDACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    REDACT_LEAST_BYTES = 8,      /* a shorter form is not looked for */
    REDACT_PREFIX_MIN_BYTES = 3, /* of a pattern */
    REDACT_PREFIX_MAX_BYTES = 64,
    REDACT_REPEAT_MAX = 8192,
    REDACT_PATTERNS_MAX = 256
};

struct redactor; /* opaque */

/* With the patterns that everybody wants (redact_patterns). ERR_NOMEM. */
enum err_code redactor_new(struct redactor **out, struct err *err) MUST_USE;
void redactor_free(struct redactor *r); /* NULL is fine */

/* More patterns, one a line; empty lines and those that begin with '#' do not count. A pattern is a
 * beginning, a class of bytes and how often they come: sk-ant-[A-Za-z0-9_-]{16,} or
 * AKIA[A-Z0-9]{16}. In a class \n is a line break, also as JSON writes it. ERR_CONFIG names the
 * line. */
enum err_code redactor_add_patterns(struct redactor *r, struct str text, struct err *err) MUST_USE;
extern const char redact_patterns[];

/* All forms of the secret are cut out from now on; one that is known already costs nothing but
 * the time. ERR_NOMEM: maybe only some of them. */
enum err_code redactor_know(struct redactor *r, struct str secret, struct err *err) MUST_USE;

enum {
    REDACT_OPEN = 1 << 0, /* the text was cut off at its end: a secret that may go on there is cut
                             out, too, from eight bytes on */
    REDACT_KNOWN = 1 << 1 /* only what is known: no patterns */
};
/* Overwrites what is found by '*', so that lengths, quotes and offsets stay; JSON stays JSON.
 * Returns how many stretches. */
size_t redactor_cut(const struct redactor *r, char *text, size_t n, unsigned flags);

/* Where text comes piece by piece: no more bytes than this belong to one find. */
size_t redactor_longest(const struct redactor *r);

#endif

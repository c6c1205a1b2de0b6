/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the redactor: shared by redact*.c. */
#ifndef SANDFLEET_COMMON_SECRET_REDACT_INTERNAL_H
#define SANDFLEET_COMMON_SECRET_REDACT_INTERNAL_H

#include "common/secret/redact.h"

struct redact_pattern {
    char prefix[REDACT_PREFIX_MAX_BYTES];
    size_t n_prefix;
    uint64_t class[4]; /* a bit a byte */
    bool breaks;       /* line breaks, too */
    size_t least, most;
};

static inline bool redact_in_class(const struct redact_pattern *p, unsigned char c)
{
    return p->class[c / 64] >> c % 64 & 1;
}

/* One line's. ERR_CONFIG. */
enum err_code redact_pattern_parse(struct str line, struct redact_pattern *out,
                                   struct err *err) MUST_USE;
/* Bytes of text[at…] that it is about, 0: none. open: as REDACT_OPEN. *run_end is the pattern's
 * own, 0 before the first call for a text: where the last run of its bytes ended, so that each run
 * is gone through once, however many beginnings are in it. */
size_t redact_pattern_match(const struct redact_pattern *p, struct str text, size_t at, bool open,
                            size_t *run_end);

/* Calls give() with each form of the secret that is long enough; some may come twice. Stops with
 * the first that is refused. ERR_NOMEM. */
typedef enum err_code (*redact_form_fn)(void *ctx, struct str form, struct err *err);
enum err_code redact_forms(struct str secret, redact_form_fn give, void *ctx,
                           struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a file has had so far, and for what: 16 bytes a name and a quarter of that free, by
 * a hash of 64 bits. That two names of a million share one happens once in 36 million files.
 * In memory, without I/O. */
#ifndef SANDFLEET_PRODUCER_BATCH_SEEN_H
#define SANDFLEET_PRODUCER_BATCH_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

struct seen; /* opaque */

enum sight { SEEN_NEW, SEEN_SAME, SEEN_OTHER };

struct seen *seen_new(void); /* yours; NULL: no memory */
void seen_free(struct seen *s);

uint64_t seen_key(struct str name);
/* Whether the name was there, and then for the same work or for another. ERR_NOMEM. */
enum err_code seen_name(struct seen *s, uint64_t key, uint64_t work, enum sight *out,
                        struct err *err) MUST_USE;
/* How often this nameless work was there, with this time: 1, 2, … ERR_NOMEM. */
enum err_code seen_times(struct seen *s, uint64_t work, uint64_t *out, struct err *err) MUST_USE;

size_t seen_bytes(const struct seen *s); /* that its table has */

#endif

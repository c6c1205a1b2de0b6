/* SPDX-License-Identifier: Apache-2.0 */
/* gzip in both directions, a piece at a time into the caller's room, so that no body
 * needs more memory than its pieces; and whole messages under a ceiling.
 * No I/O. Any thread, one at a time. */
#ifndef SANDFLEET_COMMON_GZIP_H
#define SANDFLEET_COMMON_GZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

struct gzip; /* one body in one direction; opaque */

struct gzip *gzip_packer(void); /* yours; NULL: no memory */
/* max_bytes: ceiling of all that comes out; beyond it ERR_TOO_BIG, however little went in. */
struct gzip *gzip_unpacker(int64_t max_bytes);
void gzip_free(struct gzip *z);

/* Moves on: takes from *in, which becomes what was not taken, and writes at most `room`
 * bytes to `to`; *n says how many. Call it again while *n == room or in->n > 0.
 *   last  nothing follows *in. A packer writes its rest, until gzip_done(); an unpacker
 *         answers ERR_INVALID when the body was cut short.
 * ERR_INVALID: no gzip, or damaged. ERR_TOO_BIG. After an error only gzip_free(). */
enum err_code gzip_step(struct gzip *z, struct str *in, bool last, char *to, size_t room, size_t *n,
                        struct err *err) MUST_USE;
bool gzip_done(const struct gzip *z); /* all is out: the packer's end, a whole body unpacked */

/* A whole message; appends. The ceiling is out's. ERR_INVALID, ERR_TOO_BIG, ERR_NOMEM. */
enum err_code gzip_pack(struct str in, struct buf *out, struct err *err) MUST_USE;
enum err_code gzip_unpack(struct str in, struct buf *out, struct err *err) MUST_USE;

/* Whether a header such as Accept-Encoding (NULL: none) takes gzip: named, or "*", and not q=0. */
bool gzip_accepted(const char *header);

#endif

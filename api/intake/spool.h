/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are written first and read later: a little in memory, more in an unlinked temporary
 * file. HTTP/1.1 answers behind a body, so answers to a body of any length wait somewhere, and
 * that is not memory. Writes go to the page cache: nothing here waits for a disk. */
#ifndef SANDFLEET_API_SPOOL_H
#define SANDFLEET_API_SPOOL_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum { SPOOL_MEMORY = 256 << 10 };

struct spool {
    const char *folder; /* borrowed */
    struct buf memory;  /* the newest; all of it while there is no file */
    int fd;             /* -1: none yet */
    int64_t in_file, read_at;
};

#define SPOOL_INIT(dir)                                                                            \
    ((struct spool){.folder = (dir), .memory = BUF_INIT(SPOOL_MEMORY), .fd = -1})

/* text: at most SPOOL_MEMORY bytes. ERR_IO: no file can be made, or no more be written. */
enum err_code spool_add(struct spool *s, struct str text, struct err *err) MUST_USE;
/* The next piece, appended to an `out` with so much room; nothing: that was all. */
enum err_code spool_read(struct spool *s, size_t max, struct buf *out, struct err *err) MUST_USE;
void spool_release(struct spool *s);

#endif

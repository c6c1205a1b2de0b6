/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a batch file, to be read twice: a file, or standard input or a pipe, which is
 * spooled into an unlinked file first; unpacked when they begin as gzip does. Blocks. */
#ifndef SANDFLEET_PRODUCER_BATCH_SOURCE_H
#define SANDFLEET_PRODUCER_BATCH_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Of what a packed file may unpack to. It costs time, no memory and no disk. */
#define SOURCE_UNPACKED_MAX_BYTES (INT64_C(64) << 30)

struct source; /* opaque */

/* "-" is standard input. ERR_NOT_FOUND: it cannot be opened, or is a directory. ERR_IO. */
enum err_code source_open(const char *path, struct source **out, struct err *err) MUST_USE;
void source_close(struct source *s);

/* Reads at most room bytes; *n 0: the end. ERR_IO; ERR_INVALID: damaged gzip; ERR_TOO_BIG. */
enum err_code source_read(struct source *s, char *to, size_t room, size_t *n,
                          struct err *err) MUST_USE;
enum err_code source_rewind(struct source *s, struct err *err) MUST_USE;

/* Whether the file is still what it was when it was opened, by its size and times. */
bool source_is_same(const struct source *s);

const char *source_name(const struct source *s); /* for messages */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a tar as its bytes pass, and refuses what has no place in a working directory: a path or
 * a link that leads out of it, what is no plain file, folder or link, what comes twice or lies
 * below a file or a link, and what is over a ceiling. What it lets pass, tar(1) unpacks as it was
 * understood here: where readers differ, it refuses. Reads ustar, pax and GNU's long names.
 * No I/O, memory by the number of members. */
#ifndef SANDFLEET_WORKER_TAR_CHECK_H
#define SANDFLEET_WORKER_TAR_CHECK_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    TAR_MEMBERS_MAX = 50000,
    TAR_NAMES_MAX = 98304,   /* members and the folders that their paths name */
    TAR_EXTRA_MAX = 64 << 10 /* of one extended header */
};
#define TAR_UNPACKED_MAX ((int64_t)1 << 30) /* of all files together, and of the tar */

struct tar_check; /* opaque */

/* strip: leading parts of each path that will be left out. Yours; NULL: no memory. */
struct tar_check *tar_check_new(int64_t strip);
void tar_check_free(struct tar_check *t); /* NULL is fine */

/* ERR_INVALID: "member 'x' …", and nothing is fed after it. ERR_NOMEM. */
enum err_code tar_check_feed(struct tar_check *t, struct str bytes, struct err *err) MUST_USE;
/* Nothing follows. ERR_INVALID: it was cut. */
enum err_code tar_check_end(const struct tar_check *t, struct err *err) MUST_USE;

int64_t tar_check_members(const struct tar_check *t); /* that will be unpacked */

#endif

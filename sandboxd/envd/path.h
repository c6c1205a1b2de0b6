/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as a client of a sandbox means them. Pure but for path_make_parents(). */
#ifndef SANDFLEET_SANDBOXD_ENVD_PATH_H
#define SANDFLEET_SANDBOXD_ENVD_PATH_H

#include "common/buf.h"
#include "common/err.h"

enum { PATH_MAX_BYTES = 4096 };

/* "~", "~/x" and "x" are in the home, "/x" stays. ERR_INVALID: empty, too long, a NUL. */
enum err_code path_resolve(const char *home, struct str path, char out[PATH_MAX_BYTES],
                           struct err *err) MUST_USE;

/* Makes the folders above `path`, 0755. 0, or an errno. */
int path_make_parents(const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as envd's clients write them. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PATH_H
#define SANDFLEET_SANDBOXD_ENVD_PATH_H

#include "common/buf.h"
#include "common/err.h"

enum { PATH_MAX_BYTES = 4096 };

/* Absolute in `out`: an absolute path as it is; "", "~", "~/x" and relative ones below
 * `home`, with "." and ".." taken out as text. ERR_INVALID: with NUL, "~other", or too long. */
enum err_code path_resolve(const char *home, struct str path, char out[PATH_MAX_BYTES],
                           struct err *err) MUST_USE;

const char *path_base(const char *path); /* "x" of "/a/x"; borrowed */

#endif

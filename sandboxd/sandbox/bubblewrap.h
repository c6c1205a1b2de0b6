/* SPDX-License-Identifier: Apache-2.0 */
/* The words for bubblewrap: which namespaces, and what a sandbox's root is made of. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_BUBBLEWRAP_H
#define SANDFLEET_SANDBOXD_SANDBOX_BUBBLEWRAP_H

#include <limits.h>

#include "common/buf.h"
#include "common/err.h"

enum { BUBBLEWRAP_ARGS_MAX = 64 << 10 };

struct isolation;
struct init_launch;

/* ERR_CONFIG: it is not installed. Blocks: at start only. */
enum err_code bubblewrap_find(char out[PATH_MAX], struct err *err) MUST_USE;

/* Makes <data>/etc, what sandboxes find there, and iso->bwrap_args. */
enum err_code bubblewrap_prepare(struct isolation *iso, const char *data, struct err *err) MUST_USE;

/* All words of one sandbox, each NUL-terminated, as --args takes them. */
void bubblewrap_args(const struct isolation *iso, const struct init_launch *l, struct buf *out);

#endif

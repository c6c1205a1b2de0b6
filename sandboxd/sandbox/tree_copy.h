/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a folder that somebody else may be changing meanwhile. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_TREE_COPY_H
#define SANDFLEET_SANDBOXD_SANDBOX_TREE_COPY_H

#include <stdint.h>

struct tree_limits {
    int64_t bytes, entries; /* at most */
};

/* All below `from` into the existing folder `to`: files with mode, times and user.* attributes,
 * folders, links as they are; anything else (sockets, pipes, devices) is left out. Never follows a
 * link and never leaves `from`, whatever changes in it. Blocks. 0 or an errno (EFBIG: over the
 * limits). */
int tree_copy(const char *from, const char *to, const struct tree_limits *most);

#endif

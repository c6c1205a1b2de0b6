/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of a folder as envd tells it: filesystem.EntryInfo as proto3 JSON,
 * in which members with their default value are left out. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_FILE_ENTRY_H
#define SANDFLEET_SANDBOXD_SANDBOX_FILE_ENTRY_H

#include <sys/stat.h>

#include "common/buf.h"

/* User metadata of a file is kept in extended attributes of this name space. */
#define FILE_METADATA_PREFIX "user.e2b."
enum { FILE_METADATA_MAX = 4096 }; /* names with prefix and values, of one file */

struct file_facts { /* borrowed */
    const char *path;
    struct stat st;     /* of itself */
    mode_t mode;        /* of the target when it is a link; 0: it leads nowhere */
    const char *target; /* of a link; NULL: none */
    const char *owner, *group;
    struct str metadata; /* name NUL value NUL … */
};

void file_entry_put(struct buf *out, const struct file_facts *f); /* pure */

/* Of the file at `path`, called `shown` in the answer. 0 or an errno. */
int file_entry_add(struct buf *out, const char *path, const char *shown);

/* The file's metadata becomes these pairs. 0 or an errno; a file system without
 * attributes is a success, as in envd. */
int file_metadata_set(int fd, const char *const *pairs, size_t n_strings);

#endif

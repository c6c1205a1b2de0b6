/* SPDX-License-Identifier: Apache-2.0 */
/* One operation on files on behalf of a client, done inside the sandbox: by a
 * child that init forked, in the sandbox's own view of the file system and as
 * its user. Every path is what the sandbox sees, so a link that it planted
 * leads nowhere that it could not go itself.
 *
 * The server writes the operation into a memory file (file_op_fd), init's child
 * runs it (file_op_run), and what comes back is an errno and maybe a descriptor. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_FILE_OP_H
#define SANDFLEET_SANDBOXD_SANDBOX_FILE_OP_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    FILE_OP_BYTES_MAX = 2 << 20, /* a whole operation */
    FILE_OP_STRINGS_MAX = 2048,
    FILE_OP_ANSWER_MAX = 16 << 20, /* JSON that comes back */
    FILE_OP_EVENT_MAX = 48 << 10   /* one datagram of a watch */
};

/* strings; what comes back on success */
enum file_op_kind {
    FILE_OP_READ,     /* path; a regular file, open for reading. EISDIR, EINVAL: not a file */
    FILE_OP_WRITE,    /* path, metadata name, value, …; a regular file, made with its parents,
                       * empty, open for writing. The metadata replaces what the file had */
    FILE_OP_DISCARD,  /* path; nothing. Unlinks it if it still is `inode` of `device` */
    FILE_OP_STAT,     /* path; an entry as JSON */
    FILE_OP_MAKE_DIR, /* path; an entry. EEXIST: a directory, ENOTDIR: something else */
    FILE_OP_MOVE,     /* from, to (parents are made); the entry at `to` */
    FILE_OP_LIST,     /* path; a JSON array of entries, `depth` levels deep */
    FILE_OP_REMOVE,   /* path, with all below; nothing. A missing one is a success */
    FILE_OP_COMPOSE,  /* to, from, from, …; an entry, or {"source":i,"errno":n}: from[i] is at
                       * fault. `to` is replaced at once, then the others go */
    FILE_OP_WATCH,    /* path of a directory; a socket of which each datagram is one event,
                       * {"name":…,"type":…,"entry"?:…}; {"lost":true} is the last when there
                       * were too many. Close it to end the watch. EREMOTE: a network mount */
    FILE_OP_KINDS
};
enum { /* of FILE_OP_WATCH */
       FILE_OP_RECURSIVE = 1 << 0,
       FILE_OP_WITH_ENTRY = 1 << 1,
       FILE_OP_NETWORK = 1 << 2 /* network mounts, too */
};

struct file_op {
    uint32_t kind, flags, depth;
    uint32_t strings; /* how many follow, each NUL-terminated */
    uint64_t device, inode;
};

/* A memory file, yours. `strings`: op->strings of them with their NULs. ERR_TOO_BIG, ERR_IO. */
enum err_code file_op_fd(const struct file_op *op, struct str strings, int *fd,
                         struct err *err) MUST_USE;

/* Decodes; s[] points into `bytes`. ERR_INVALID. Pure. */
enum err_code file_op_parse(struct str bytes, struct file_op *op,
                            const char *s[FILE_OP_STRINGS_MAX], struct err *err) MUST_USE;

/* For a child of init's that already is the sandbox's user, and ends after it: it may take as
 * long as the files need. 0 or an errno; *answer_fd is -1 or yours (close-on-exec). FILE_OP_WATCH
 * leaves a process behind, which ends with the other end of its socket. */
int file_op_run(int request_fd, int *answer_fd);

#endif

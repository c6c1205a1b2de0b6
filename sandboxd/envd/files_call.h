/* SPDX-License-Identifier: Apache-2.0 */
/* A request that waits for a file operation inside its sandbox. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_CALL_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_CALL_H

#include "sandboxd/envd/path.h"
#include "sandboxd/sandbox/file_op.h"
#include "sandboxd/sandbox/sandbox.h"
#include "sandboxd/web/web.h"

struct file_call; /* embed it; zero means that nothing is under way */
/* From the loop. errnum 0: done. fd: -1 or yours. */
typedef void (*file_call_fn)(struct file_call *c, int errnum, int fd);

struct file_call {
    void *owner;         /* whatever the caller needs in fn */
    struct fleet *fleet; /* NULL: nothing is under way */
    struct sandbox *sb;  /* good while there is a ticket */
    char id[SANDBOX_ID_ROOM];
    uint32_t ticket; /* 0: none */
    int request_fd;  /* while it is under way */
    struct timer *again;
    int64_t deadline_ms; /* of trying again when the sandbox is too busy */
    file_call_fn fn;
};

/* Starts it; fn is called once, unless file_call_cancel() comes first. ERR_UNAVAILABLE, ERR_NOMEM:
 * it will not be called. */
enum err_code file_call(struct file_call *c, struct sandbox *sb, const struct file_op *op,
                        struct str strings, file_call_fn fn, struct err *err) MUST_USE;
void file_call_cancel(struct file_call *c); /* nothing under way is fine */
/* Starts it and forgets it; what it fails at is nobody's business. */
void file_call_forgotten(struct sandbox *sb, const struct file_op *op, struct str strings);

/* The text of an answer's descriptor, appended. ERR_TOO_BIG, ERR_IO. */
enum err_code file_call_text(int fd, struct buf *out, struct err *err) MUST_USE;

/* Whether the sandbox may not, rather than cannot, do what failed with this errno. */
bool file_refused(int64_t errnum);

/* What simple handlers keep in request.state: freed with the request. */
struct path_call {
    struct request *r;
    struct file_call call; /* owner: the path_call */
    char path[PATH_MAX_BYTES], other[PATH_MAX_BYTES];
};
struct path_call *path_call_new(struct request *r); /* NULL: answered */

void put_path(struct buf *strings, const char *path); /* with its NUL */
/* "no such file or directory": as the Go runtime spells it. */
const char *errno_text(int errnum);

#endif

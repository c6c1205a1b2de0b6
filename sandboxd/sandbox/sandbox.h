/* SPDX-License-Identifier: Apache-2.0 */
/* The sandboxes of this server: each one a folder, a first process (init.h) and
 * the commands it started. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_H
#define SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"
#include "sandboxd/sandbox/identity.h"
#include "sandboxd/sandbox/init.h"

enum {
    SANDBOX_ID_ROOM = 24,
    SANDBOX_TOKEN_ROOM = 65,
    SANDBOX_PATH_ROOM = 1024,
    SANDBOX_PENDING_MAX = 1024 /* answers that init owes */
};

struct process;
struct pending;
struct fleet;

struct waiter { /* somebody who waits for a sandbox's end; embed it */
    LIST_ENTRY(waiter) link;
    void (*ended)(struct waiter *w); /* the waiter is off the list */
};

struct sandbox {
    struct fleet *fleet;
    char id[SANDBOX_ID_ROOM];
    char token[SANDBOX_TOKEN_ROOM]; /* X-Access-Token */
    char folder[SANDBOX_PATH_ROOM], home[SANDBOX_PATH_ROOM + 8];
    char bin[SANDBOX_PATH_ROOM + 128], path[SANDBOX_PATH_ROOM + 192];
    char *template;
    cJSON *metadata, *env;      /* objects of strings */
    int64_t started_ms, end_ms; /* wall time */

    pid_t init_pid; /* 0: none */
    int init_fd;
    struct watch *watch;
    struct timer *expiry;
    bool ending;
    uint32_t tickets; /* the last one given */
    uint32_t n_pending;
    LIST_HEAD(, pending) pending;
    LIST_HEAD(, process) processes;
    LIST_HEAD(, waiter) waiters;
    TAILQ_ENTRY(sandbox) link;
};

struct fleet { /* all of them, oldest first */
    struct loop *loop;
    const char *data; /* absolute path */
    const struct identity *identity;
    int64_t max_sandboxes;
    uint64_t max_files; /* of a command */
    int64_t count;
    TAILQ_HEAD(sandbox_list, sandbox) all;
    void (*emptied)(void *ctx); /* NULL or: the last sandbox is gone */
    void *ctx;
};

struct sandbox_want {
    const char *template;        /* exists */
    const cJSON *metadata, *env; /* copied; objects of strings, or NULL */
    int64_t timeout_ms;
};

/* ERR_CAPACITY: the ceiling is reached. */
enum err_code sandbox_create(struct fleet *f, const struct sandbox_want *want, struct sandbox **out,
                             struct err *err) MUST_USE;
/* NULL: there is none, or it is ending. */
struct sandbox *sandbox_find(struct fleet *f, struct str id);
void sandbox_expire_in(struct sandbox *sb, int64_t ms); /* from now */

/* Kills every process of it, cuts its streams, removes its folder. `w` may be
 * NULL; its ended() is called when all is gone, never from inside this call. */
void sandbox_kill(struct sandbox *sb, const char *reason, struct waiter *w);
void sandbox_kill_all(struct fleet *f, const char *reason);

/* Paths as the sandbox sees them; all that a client sees or names is such a path. */
const char *sandbox_home(const struct sandbox *sb);
const char *sandbox_bin(const struct sandbox *sb); /* its template's programs */
/* NAME, value, NAME, value, …, NULL: what its commands find in their environment
 * unless they or the sandbox were given something else. Borrowed until the next call. */
const char *const *sandbox_environ(const struct sandbox *sb);

/* --- asking init ------------------------------------------------------------------- */

uint32_t sandbox_ticket(struct sandbox *sb); /* a new one, never 0 */

/* fds stay yours. ERR_UNAVAILABLE: it is too busy. */
enum err_code sandbox_ask(struct sandbox *sb, const struct init_request *q, const int *fds,
                          size_t n_fds, struct err *err) MUST_USE;

/* Called once, from the loop, never from inside the asking. errnum 0: done. fd: -1 or yours. */
typedef void (*sandbox_done)(void *ctx, int errnum, int fd);

/* One operation on files in the sandbox's own view and in its user's name (file_op.h).
 * request_fd stays yours. *ticket: to forget it by. The sandbox's end answers ESRCH.
 * ERR_UNAVAILABLE: too busy; nothing will be called. */
enum err_code sandbox_file(struct sandbox *sb, int request_fd, sandbox_done fn, void *ctx,
                           uint32_t *ticket, struct err *err) MUST_USE;
/* Stops all its processes, and lets them go on. The same rules. */
enum err_code sandbox_pause(struct sandbox *sb, sandbox_done fn, void *ctx, uint32_t *ticket,
                            struct err *err) MUST_USE;
enum err_code sandbox_resume(struct sandbox *sb, sandbox_done fn, void *ctx, uint32_t *ticket,
                             struct err *err) MUST_USE;
/* fn is not called any more; a descriptor that still comes is closed. Unknown: nothing. */
void sandbox_forget(struct sandbox *sb, uint32_t ticket);

/* After SIGCHLD: reaps, and kills what a dead init left to us. */
void fleet_reap(struct fleet *f);

#endif

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

enum { SANDBOX_ID_ROOM = 24, SANDBOX_TOKEN_ROOM = 65, SANDBOX_PATH_ROOM = 1024 };

struct process;
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
    char *template;
    cJSON *metadata, *env;      /* objects of strings */
    int64_t started_ms, end_ms; /* wall time */

    pid_t init_pid; /* 0: none */
    int init_fd;
    struct watch *watch;
    struct timer *expiry;
    bool ending;
    uint32_t tickets;
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

/* Asks init for something; fds only with INIT_START. ERR_UNAVAILABLE: it is too busy. */
enum err_code sandbox_ask(struct sandbox *sb, const struct init_request *q, const int *fds,
                          struct err *err) MUST_USE;

/* After SIGCHLD: reaps, and kills what a dead init left to us. */
void fleet_reap(struct fleet *f);

#endif

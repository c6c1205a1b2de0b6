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
#include "sandboxd/sandbox/isolation.h"

/* In a sandbox with a root of its own: */
#define SANDBOX_HOME     "/home/user"
#define SANDBOX_TEMPLATE "/opt/template"

enum {
    SANDBOX_ID_ROOM = 24,
    SANDBOX_TOKEN_ROOM = 65,
    SANDBOX_PATH_ROOM = 1024,
    SANDBOX_PENDING_MAX = 1024, /* answers that init owes */
    FLEET_BUCKETS = 1024        /* sandboxes are looked up with every request */
};

struct process;
struct watcher;
struct pump;
struct door;
struct pending;
struct command;
struct fleet;
struct life; /* control/life.h */

struct waiter { /* somebody who waits for a sandbox's end; embed it */
    LIST_ENTRY(waiter) link;
    void (*ended)(struct waiter *w); /* the waiter is off the list */
};

/* A child of the server's own, for work that would block; embed it, zeroed. */
struct child {
    LIST_ENTRY(child) link;
    pid_t pid; /* 0: none */
    /* From the loop; it is off the list. -1: it was killed with the server's end. */
    void (*exited)(struct child *c, int wait_status);
};

struct sandbox {
    struct fleet *fleet;
    struct life *life;       /* the control plane's; NULL: none */
    struct command *command; /* that sandbox_run() started; NULL: none */
    char id[SANDBOX_ID_ROOM];
    char token[SANDBOX_TOKEN_ROOM];                                    /* X-Access-Token */
    char folder[SANDBOX_PATH_ROOM], home[SANDBOX_PATH_ROOM + 8];       /* on this machine */
    char temp[SANDBOX_PATH_ROOM + 8], source[SANDBOX_PATH_ROOM + 128]; /* the template's folder */
    char bin[SANDBOX_PATH_ROOM + 160], path[SANDBOX_PATH_ROOM + 224];  /* as it sees them */
    char *template;
    cJSON *metadata, *env;      /* objects of strings */
    cJSON *network;             /* as the client gave it: allowOut, denyOut, rules…; NULL: none */
    int64_t started_ms, end_ms; /* wall time */

    pid_t init_pid;    /* of init, or of the bubblewrap around it; 0: reaped */
    int init_fd;       /* -1: it has ended */
    bool sweeping;     /* init is one that only takes the folder away */
    struct door *door; /* egress/hook.c's; NULL: none */
    struct watch *watch;
    struct timer *expiry;
    bool ending;
    uint32_t tickets; /* the last one given */
    uint32_t n_pending;
    LIST_HEAD(, pending) pending;
    LIST_HEAD(, process) processes;
    LIST_HEAD(, watcher) watchers; /* of its folders */
    LIST_HEAD(, waiter) waiters;
    TAILQ_ENTRY(sandbox) link;
    LIST_ENTRY(sandbox) bucket;
};

struct fleet { /* all of them, oldest first */
    struct loop *loop;
    struct pump *pump; /* reads what the commands write */
    const char *data;  /* absolute path */
    const struct identity *identity;
    const struct isolation *isolation;
    int64_t max_sandboxes;
    uint64_t max_files; /* of a command */
    int64_t count;
    TAILQ_HEAD(sandbox_list, sandbox) all;
    LIST_HEAD(, sandbox) buckets[FLEET_BUCKETS]; /* by id */
    LIST_HEAD(, child) children;
    /* The way out of sandboxes that have no network (isolation strong); both NULL: there is
     * none. On return of the first, sb->door is set and a socket in its folder takes connections,
     * at INIT_PROXY_SOCKET inside. The second comes once for each and takes it away. */
    enum err_code (*egress_open)(void *egress, struct sandbox *sb, struct err *err);
    void (*egress_close)(void *egress, struct sandbox *sb);
    void *egress;
    /* Each NULL, or called from the loop: */
    void (*expired)(struct sandbox *sb); /* its time is over; NULL: it is killed */
    void (*ending)(struct sandbox *sb, const char *reason); /* it is being killed */
    void (*freed)(struct sandbox *sb);                      /* the last call about it */
    void (*network_changed)(struct sandbox *sb);            /* sb->network was replaced */
    void (*emptied)(void *ctx);                             /* NULL or: the last sandbox is gone */
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

/* --- what it has, and uses ------------------------------------------------------------ */

int sandbox_cpu_count(const struct sandbox *sb);
int64_t sandbox_memory_bytes(const struct sandbox *sb); /* its limit, else this machine's memory */

struct sandbox_usage {
    int64_t memory_bytes, cpu_ns; /* cpu: since its start; what ended may be missing */
};
/* By its cgroup; without one by a look at all processes. Zeros when it cannot be told. */
void sandbox_usage(const struct sandbox *sb, struct sandbox_usage *out);

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

/* Starts a program of the server's choice in it, as one of its commands but without a stream; one
 * at a time. `fn` is called once, later: the status as waitpid() gave it, or -1 when it could not
 * be started. Forgotten when the sandbox ends. */
enum err_code sandbox_run(struct sandbox *sb, const char *const argv[],
                          void (*fn)(void *ctx, int wait_status), void *ctx,
                          struct err *err) MUST_USE;

/* Forks; in the child fn(ctx) runs, in the name of the sandboxes' user, and its result is the exit
 * status. Only from the loop's thread. ERR_IO. */
enum err_code fleet_fork(struct fleet *f, struct child *c, int (*fn)(const void *ctx),
                         const void *ctx, struct err *err) MUST_USE;
void fleet_forget(struct child *c);  /* kills it; exited() is not called any more */
void fleet_release(struct fleet *f); /* the server ends: kills all of them */

/* After SIGCHLD: reaps, and kills what a dead init left to us. */
void fleet_reap(struct fleet *f);

#endif

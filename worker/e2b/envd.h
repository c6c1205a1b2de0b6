/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon inside a sandbox ("envd"): processes and files over HTTP and Connect.
 * Routed by the E2b-Sandbox-* headers on one shared address, or by host name.
 * Single-threaded: call only from the loop's thread. Nothing here blocks; a callback may
 * free anything, its own handle included. */
#ifndef SANDFLEET_WORKER_E2B_ENVD_H
#define SANDFLEET_WORKER_E2B_ENVD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/http/http.h"

enum { ENVD_PORT = 49983, ENVD_KEEPALIVE_S = 15 };

struct envd; /* opaque: one sandbox's daemon */

struct envd_opts {     /* borrowed until return */
    const char *url;   /* "https://sandbox.e2b.app", "https://49983-i….e2b.app" */
    const char *id;    /* of the sandbox, for the routing headers; NULL: url names it */
    const char *token; /* X-Access-Token; NULL: the sandbox needs none */
    /* Seconds of silence after which a stream's other end gives a sign of life, 1..3600; 0:
     * ENVD_KEEPALIVE_S. A stream without any for 8/3 of it is dead. */
    int64_t keepalive_s;
};
/* ERR_INVALID: keepalive_s. */
enum err_code envd_new(struct http *http, const struct envd_opts *opts, struct envd **out,
                       struct err *err) MUST_USE;
void envd_free(struct envd *d); /* after its calls and streams; NULL is fine */

/* --- processes --- */
struct envd_stream; /* opaque: a process and what it prints, or a folder and what changes in it,
                     * while we listen */

struct envd_size { /* of a terminal, in letters; 0 columns: no terminal */
    int cols, rows;
};
struct envd_command { /* borrowed until return; it is logged there: no secrets, no prompt */
    const char *cmd;
    const char *const *args; /* NULL-terminated */
    const char *const *env;  /* "NAME=value", NULL-terminated; NULL: none */
    const char *cwd;         /* NULL: the home */
    const char *tag;         /* to find it by in envd_list; NULL: none */
    bool with_stdin;         /* else it reads /dev/null */
    struct envd_size pty;    /* then all it prints comes by out() */
};
struct envd_stream_events {                       /* called from the loop */
    void (*started)(void *ctx, int64_t pid);      /* may be NULL */
    void (*out)(void *ctx, struct str bytes);     /* of stdout, or of the terminal */
    void (*err_out)(void *ctx, struct str bytes); /* of stderr; NULL: passed over */
    void (*idle)(void *ctx);                      /* a keepalive came; may be NULL */
    /* Last call, never from inside envd_run; the handle is gone by then. e->code ERR_OK: the
     * process ended, -1 by a signal. Else: the stream did, and the process may go on. */
    void (*ended)(void *ctx, int64_t exit_code, const struct err *e);
};
/* Without a time limit there: that would kill the process at expiry. A stream that is
 * silent for too long, keepalives counted, is dead: ERR_TIMEOUT. */
enum err_code envd_run(struct envd *d, const struct envd_command *command,
                       const struct envd_stream_events *ev, void *ctx, struct envd_stream **out,
                       struct err *err) MUST_USE;
/* Listens to a process that runs: what it printed before is lost. NOT_FOUND: there is none,
 * or it ended more than 30 s ago. */
enum err_code envd_connect(struct envd *d, int64_t pid, const struct envd_stream_events *ev,
                           void *ctx, struct envd_stream **out, struct err *err) MUST_USE;
void envd_stream_free(struct envd_stream *s); /* stops listening; NULL is fine */

/* --- files and single calls --- */
struct envd_call; /* opaque: one request under way */

struct envd_answer { /* borrowed for the call */
    struct str body; /* empty when it was streamed to `data` */
    int64_t size;    /* of the whole file, for ranged reads; -1: not told */
    bool at_end;     /* the file was read to its end, or the range starts there */
};
/* Called once, unless freed before; the handle is gone by then. e->code ERR_OK: done. NOT_FOUND: no
 * such file. GONE: the sandbox is no more. THROTTLED, UNAVAILABLE, TIMEOUT, IO, PROTOCOL: try
 * again. */
typedef void (*envd_fn)(void *ctx, const struct envd_answer *a, const struct err *e);

enum err_code envd_health(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                          struct err *err) MUST_USE;
/* `path` is absolute or begins with "~/". Missing folders are made. Not atomic: a reader may
 * see half of it. Larger bytes that shrink well travel as gzip. IO: the disk is full. */
enum err_code envd_put(struct envd *d, const char *path, struct str bytes, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
/* The same by a temporary name beside it and a rename: nobody ever sees half of it. */
enum err_code envd_put_whole(struct envd *d, const char *path, struct str bytes, envd_fn fn,
                             void *ctx, struct envd_call **out, struct err *err) MUST_USE;
/* From byte `offset` on; data NULL: collected, at most 64 KiB. */
enum err_code envd_get(struct envd *d, const char *path, int64_t offset,
                       void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
/* A unary Connect call: "process.Process/List", "process.Process/SendSignal",
 * "filesystem.Filesystem/Move", … with their JSON. */
enum err_code envd_rpc(struct envd *d, const char *method, struct str json, envd_fn fn, void *ctx,
                       struct envd_call **out, struct err *err) MUST_USE;
void envd_call_free(struct envd_call *c); /* NULL is fine */

/* --- files of any size, piece by piece; a connection of their own --- */
/* The same as envd_put from more(), as in http_events; size: -1 when it is not known before. */
enum err_code envd_put_from(struct envd *d, const char *path, int64_t size,
                            ssize_t (*more)(void *ctx, char *p, size_t room), envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err) MUST_USE;
void envd_call_go_on(struct envd_call *c); /* more() has something now */
/* All of a file as it is; envd_call_hold() keeps it from coming. */
enum err_code envd_get_all(struct envd *d, const char *path,
                           void (*data)(void *ctx, struct str piece), envd_fn fn, void *ctx,
                           struct envd_call **out, struct err *err) MUST_USE;
void envd_call_hold(struct envd_call *c, bool held);

/* --- processes, one call each: NOT_FOUND when there is none of that pid ---
 * By pid: the daemon mixes tags up when two processes have one. */
enum envd_signal { ENVD_TERM, ENVD_KILL }; /* it knows no others; children are not reached */
enum envd_input { ENVD_STDIN, ENVD_PTY };

enum err_code envd_signal(struct envd *d, int64_t pid, enum envd_signal signal, envd_fn fn,
                          void *ctx, struct envd_call **out, struct err *err) MUST_USE;
/* At most ENVD_INPUT_MAX_BYTES, else ERR_TOO_BIG. They are logged there: no secrets. */
enum { ENVD_INPUT_MAX_BYTES = 1 << 20 };
enum err_code envd_send_input(struct envd *d, int64_t pid, enum envd_input to, struct str bytes,
                              envd_fn fn, void *ctx, struct envd_call **out,
                              struct err *err) MUST_USE;
enum err_code envd_close_stdin(struct envd *d, int64_t pid, envd_fn fn, void *ctx,
                               struct envd_call **out, struct err *err) MUST_USE;
enum err_code envd_resize(struct envd *d, int64_t pid, struct envd_size size, envd_fn fn, void *ctx,
                          struct envd_call **out, struct err *err) MUST_USE;
/* answer->body: for envd_processes_parse (worker/e2b/envd_answer.h). */
enum err_code envd_list(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                        struct err *err) MUST_USE;

/* --- the file system; answer->body of stat and list_dir: for envd_entries_parse --- */
enum err_code envd_stat(struct envd *d, const char *path, envd_fn fn, void *ctx,
                        struct envd_call **out, struct err *err) MUST_USE;
enum err_code envd_list_dir(struct envd *d, const char *path, int depth, envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err) MUST_USE;
/* CONFLICT: it is there already. */
enum err_code envd_make_dir(struct envd *d, const char *path, envd_fn fn, void *ctx,
                            struct envd_call **out, struct err *err) MUST_USE;
enum err_code envd_move(struct envd *d, const char *from, const char *to, envd_fn fn, void *ctx,
                        struct envd_call **out, struct err *err) MUST_USE;
/* With all that is in it; success also when there is nothing. */
enum err_code envd_remove(struct envd *d, const char *path, envd_fn fn, void *ctx,
                          struct envd_call **out, struct err *err) MUST_USE;

struct envd_watch_events {      /* called from the loop */
    void (*started)(void *ctx); /* from here on nothing is missed; may be NULL */
    /* kind: 'c'reate 'w'rite 'r'emove 'm'ove (rename) 'p'ermissions (chmod); name: in the
     * folder, borrowed. */
    void (*changed)(void *ctx, char kind, const char *name);
    void (*ended)(void *ctx, const struct err *e); /* last call: always a failure */
};
enum err_code envd_watch(struct envd *d, const char *path, bool recursive,
                         const struct envd_watch_events *ev, void *ctx, struct envd_stream **out,
                         struct err *err) MUST_USE;

#endif

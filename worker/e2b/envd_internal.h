/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's client as its parts see it:
 *   envd.c          its address, single calls, health
 *   envd_file.c     files: put, get
 *   envd_process.c  calls that name a process
 *   envd_folder.c   calls of the file system, and its watch
 *   envd_stream.c   streams: frames in, messages out
 *   envd_run.c      a process as a stream
 *   envd_answer.c   what unary answers hold (pure) */
#ifndef SANDFLEET_WORKER_E2B_ENVD_INTERNAL_H
#define SANDFLEET_WORKER_E2B_ENVD_INTERNAL_H

#include "worker/e2b/connect_rpc.h"
#include "worker/e2b/envd.h"
#include "worker/seen/seen.h"

enum {
    ENVD_HEADERS = 4,
    ENVD_OWN_HEADERS = 3, /* of one call */
    ENVD_HEADER_MAX_BYTES = 1024,
    ENVD_URL_MAX_BYTES = 8192,
    ENVD_REQUEST_MAX_BYTES = 128 << 10, /* of a message of ours, but input */
    ENVD_CALL_MS = 20 * 1000,           /* of a small call */
    ENVD_RPC_MAX_BYTES = 1 << 20        /* of a unary answer */
};

struct envd {
    struct http *http;
    char *url;
    char *headers[ENVD_HEADERS]; /* that every request carries */
    size_t n_headers;
    int64_t keepalive_s;
};

/* --- envd.c: single calls --- */
struct envd_call {
    struct envd *d;
    struct http_req *req;
    void (*data)(void *ctx, struct str piece);
    ssize_t (*more)(void *ctx, char *p, size_t room);
    envd_fn fn;
    void *ctx;
    enum seen_call seen;
    int64_t begun_ms; /* boot clock */
    int64_t before;   /* bytes that come before the range, should all of the file come */
    /* A second request follows when the first went well: from this name to that one. */
    char *move_from, *move_to;
};

/* Starts a copy of *want, whose strings it takes, with headers of its own. */
enum err_code envd_call_start(struct http_call *call, const char *const *headers, size_t n,
                              const struct envd_call *want, struct envd_call **out,
                              struct err *err) MUST_USE;
/* envd_rpc with what was written to json; its failures, too. */
enum err_code envd_rpc_buf(struct envd *d, const char *method, struct buf *json, envd_fn fn,
                           void *ctx, struct envd_call **out, struct err *err) MUST_USE;
/* The request of a move: for envd_move and the second half of envd_put_whole. */
void envd_put_move(struct buf *json, const char *from, const char *to);

/* --- envd_stream.c --- */
struct envd_stream;
struct envd_stream_kind {
    const char *method; /* "process.Process/Start" */
    /* A data frame's message. What makes no sense goes to envd_stream_broken(). */
    void (*message)(struct envd_stream *s, struct str json);
    void (*ended)(struct envd_stream *s, const struct err *e); /* s lives until it returns */
};
struct envd_stream {
    const struct envd_stream_kind *kind;
    struct http_req *req;
    struct connect_reader reader;
    struct err broken; /* why the rest is not read */
    bool busy, freed;  /* our callback is on the stack; free it behind that */
    void *ctx;
    union {
        struct envd_stream_events process;
        struct envd_watch_events watch;
    } ev;
    struct buf bytes; /* one frame's output */
    bool exited;
    int64_t exit_code;
};
struct envd_stream *envd_stream_new(const struct envd_stream_kind *kind, void *ctx);
/* On failure s is freed. */
enum err_code envd_stream_start(struct envd *d, struct envd_stream *s, struct buf *json,
                                struct envd_stream **out, struct err *err) MUST_USE;

#endif

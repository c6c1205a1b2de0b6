/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a process about itself, for whoever looks after it: fixed paths, GET and HEAD,
 * answers that are made at once. Everything is bounded: the headers, the connections, and how long
 * each of them may last, so that a slow or malicious client costs a few kilobytes for a while.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_PAGES_H
#define SANDFLEET_COMMON_HTTP_HTTP_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"

enum {
    HTTP_PAGES_HEADERS_MAX = 16 << 10, /* of a request, and of what is kept for its answer */
    HTTP_PAGES_ANSWER_MAX = 4 << 20,
    HTTP_PAGES_CONNECTIONS = 32,
    HTTP_PAGES_IDLE_MS = 10 * 1000,
    HTTP_PAGES_LIFE_MS = 60 * 1000
};

struct http_reply {
    int status;       /* 200 unless changed */
    const char *type; /* borrowed; "text/plain; charset=utf-8" unless changed */
    struct buf body;  /* up to HTTP_PAGES_ANSWER_MAX; freed by the server */
};

struct http_page {
    const char *path; /* "/metrics" */
    void (*write)(void *ctx, struct http_reply *out);
};

struct http_pages_opts { /* listen_fd is taken, on failure, too; the pages are borrowed */
    int listen_fd;
    const struct http_page *pages;
    size_t n_pages;
    void *ctx;
    size_t connections;       /* at once, others wait to be accepted; 0: HTTP_PAGES_CONNECTIONS */
    int64_t idle_ms, life_ms; /* of a connection; 0: as above */
};

struct http_pages; /* opaque */

enum err_code http_pages_new(struct loop *l, const struct http_pages_opts *opts,
                             struct http_pages **out, struct err *err) MUST_USE;
void http_pages_free(struct http_pages *s); /* NULL is fine */

#endif

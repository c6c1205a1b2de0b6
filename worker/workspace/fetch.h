/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's address leads to, piece by piece: http and https from public addresses only, and
 * files of one folder, where the worker's settings allow it. Redirects are followed a few times,
 * each looked at as the first. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_FETCH_H
#define SANDFLEET_WORKER_FETCH_H

#include "common/http/http.h"
#include "common/loop.h"

enum { FETCH_MAX_MS = 240 * 1000, FETCH_SILENCE_MS = 30 * 1000, FETCH_REDIRECTS = 5 };
#define FETCH_MAX_BYTES ((int64_t)256 << 20)

struct fetch; /* opaque */

struct fetch_policy { /* borrowed for as long as there are fetches */
    struct loop *loop;
    struct http *http;       /* a pool for nothing else */
    bool allow_private;      /* also addresses that are not public; then a proxy may be used, too */
    const char *local_files; /* the folder that file:/// may name files of; NULL: none */
};
struct fetch_events { /* called from the loop */
    void (*data)(void *ctx, struct str piece);
    /* Last call; the handle is gone by then. INVALID: refused for good. Others: what is wrong with
     * the place, now. */
    void (*done)(void *ctx, const struct err *e);
};

/* ERR_OK: done will be called, never from inside this call. ERR_INVALID: not allowed. */
enum err_code fetch_start(const struct fetch_policy *policy, const char *url,
                          const struct fetch_events *ev, void *ctx, struct fetch **out,
                          struct err *err) MUST_USE;
void fetch_hold(struct fetch *f, bool held); /* held, it gives no data */
void fetch_free(struct fetch *f);            /* NULL is fine */

/* The path that url, "file:///…", names below `folder`; borrowed from url. ERR_INVALID. Pure. */
enum err_code fetch_local_path(const char *folder, const char *url, const char **out,
                               struct err *err) MUST_USE;

#endif

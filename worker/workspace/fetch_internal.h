/* SPDX-License-Identifier: Apache-2.0 */
/* A fetch as its two kinds see it: fetch.c (http) and fetch_file.c. */
#ifndef SANDFLEET_WORKER_FETCH_INTERNAL_H
#define SANDFLEET_WORKER_FETCH_INTERNAL_H

#include "worker/workspace/fetch.h"

struct fetch_file; /* opaque */

struct fetch {
    const struct fetch_policy *policy;
    struct fetch_events ev;
    void *ctx;
    struct http_req *req;
    struct fetch_file *file; /* NULL: by http */
    char *url;               /* of the request under way */
    int redirects;
    int64_t bytes;
};

/* One piece on its way. False: it is over the ceiling, and f is gone. */
bool fetch_give(struct fetch *f, struct str piece);
void fetch_end(struct fetch *f, const struct err *e); /* frees f */

enum err_code fetch_file_start(struct fetch *f, const char *path, struct err *err) MUST_USE;
void fetch_file_hold(struct fetch_file *file, bool held);
void fetch_file_free(struct fetch_file *file); /* its thread's work may go on for a moment */

#endif

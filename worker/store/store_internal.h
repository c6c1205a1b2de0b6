/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the store: what its kinds (store_dir.c) see of it. */
#ifndef SANDFLEET_WORKER_STORE_INTERNAL_H
#define SANDFLEET_WORKER_STORE_INTERNAL_H

#include "worker/store/store.h"

enum store_verb { STORE_PUT, STORE_PUT_FROM, STORE_GET, STORE_REMOVE };

struct store_stream; /* of a STORE_PUT_FROM in a directory */
struct store_s3;     /* address and keys */

struct store_call {
    struct store *store; /* holds a reference */
    enum store_verb verb;
    char key[STORE_KEY_MAX + 1];
    struct buf bytes;   /* to put, or got; of a get its ceiling is the caller's */
    struct err err;     /* the answer */
    int64_t size, sent; /* of a put in pieces */
    ssize_t (*more)(void *ctx, char *p, size_t room); /* NULL: cancelled, or no such put */
    struct store_stream *stream;
    struct http_req *req;
    store_fn fn; /* NULL: cancelled */
    void *ctx;
};

struct store {
    const struct store_kind *kind;
    struct loop *loop;
    int references; /* the owner's, and one a call */
    int dir;        /* store_dir.c: the directory; -1 */
    char *path;     /* its name */
    struct store_s3 *s3;
};

struct store_kind {
    /* store_call_end() follows, later, once; unless this fails. */
    enum err_code (*start)(struct store_call *c, struct err *err);
    void (*release)(struct store *s);     /* the last reference is gone */
    void (*go_on)(struct store_call *c);  /* of a put in pieces: there is more */
    void (*cancel)(struct store_call *c); /* its pieces end here; store_call_end() still follows */
    void (*location)(const struct store *s, const char *key, struct buf *out);
};

void store_call_end(struct store_call *c); /* frees it */

/* store_stream.c: a put in pieces, of a directory */
enum err_code store_stream_start(struct store_call *c, struct err *err) MUST_USE;
void store_stream_go_on(struct store_call *c);
void store_stream_cancel(struct store_call *c);

/* store_dir.c */
int store_dir_make_parents(int dir, const char *key); /* errno, or 0; blocks, as the next */
int store_dir_settle(int dir, const char *tmp, const char *key, int fd);
void store_dir_tmp_name(char out[64]);
enum err_code store_dir_open(struct store *s, const char *path, struct err *err) MUST_USE;

#endif

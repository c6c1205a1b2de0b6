/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the store: what its kinds (store_dir.c) see of it. */
#ifndef SANDFLEET_WORKER_STORE_INTERNAL_H
#define SANDFLEET_WORKER_STORE_INTERNAL_H

#include "worker/store/store.h"

enum store_verb { STORE_PUT, STORE_GET, STORE_REMOVE };

struct store_call {
    struct store *store; /* holds a reference */
    enum store_verb verb;
    char key[STORE_KEY_MAX + 1];
    struct buf bytes; /* to put, or got; of a get its ceiling is the caller's */
    struct err err;   /* the answer */
    store_fn fn;      /* NULL: cancelled */
    void *ctx;
};

struct store {
    const struct store_kind *kind;
    struct loop *loop;
    int references; /* the owner's, and one a call */
    int dir;        /* store_dir.c: the directory; -1 */
};

struct store_kind {
    /* store_call_end() follows, later, once; unless this fails. */
    enum err_code (*start)(struct store_call *c, struct err *err);
    void (*release)(struct store *s); /* the last reference is gone */
};

void store_call_end(struct store_call *c); /* frees it */

/* store_dir.c */
enum err_code store_dir_open(struct store *s, const char *path, struct err *err) MUST_USE;

#endif

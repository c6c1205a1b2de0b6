/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key: the same key with the same body gets the same answer, and nothing is done
 * twice, whichever server is asked, and when. A row of door.idempotency decides; behind its
 * retention the run's claim still does. Single-threaded. */
#ifndef SANDFLEET_API_IDEM_H
#define SANDFLEET_API_IDEM_H

#include "api/call.h"

enum { IDEM_KEY_MAX = 255, IDEM_HASH = 2 * 32 + 1 };

/* The first member of what c->state points to, for a handler that takes the header. */
struct idem {
    char key[IDEM_KEY_MAX + 1]; /* "": none was given */
    char work[IDEM_HASH];       /* what is asked for, in hex */
    bool held;                  /* it is ours to do, and to let go or to answer */
    void (*next)(struct call *c);
};

/* Reads the header. False: it is not as it must be, and was answered 400. */
bool idem_read(struct call *c, struct idem *i);
/* op: "POST /v1/runs"; what: of that, what tells one request from another. */
void idem_work(struct idem *i, const char *op, const void *what, size_t n);

/* next(c) when there is no key or it is ours to do: now or later. Else answers: as before, 409,
 * 422, 503. run_id: the one that the key makes, and its request's hash in hex; NULL: none. */
void idem_begin(struct call *c, const char *run_id, const char *hash, void (*next)(struct call *c));
/* It was not done. `surely`: it is as if it had never been asked for. Else the body that the key
 * stands for stays, and whoever asks again does it anew. */
void idem_let_go(struct call *c, bool surely);
/* 201 with Location, as before: Idempotent-Replayed. */
void idem_answer(struct call *c, const char *location, struct str body, bool replayed);

#endif

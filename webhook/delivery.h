/* SPDX-License-Identifier: Apache-2.0 */
/* One try of one delivery: from a row of sql_take to how it went. Single-threaded. */
#ifndef SANDFLEET_WEBHOOK_DELIVERY_H
#define SANDFLEET_WEBHOOK_DELIVERY_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/http/http.h"
#include "common/pg/pg.h"
#include "common/secret/keyring.h"
#include "webhook/guard.h"
#include "webhook/verdict.h"

struct delivery {
    LIST_ENTRY(delivery) link; /* its owner's */
    void *owner;
    char *endpoint, *run_id, *state, *attempt; /* as the statements have them */
    char *tenant, *name, *url, *body;
    int64_t tries;
    int64_t at_s;          /* Unix time that is signed */
    struct buf signatures; /* none: it cannot be sent */
    struct http_req *req;
    int64_t began_ms, took_ms;
    size_t answered; /* bytes of the answer, which nobody reads */
    const struct guard *guard;
    void (*done)(struct delivery *d);
    /* how it went, inside done() and later */
    enum verdict verdict;
    int status; /* 0: no answer */
    int64_t retry_after_ms;
    char error[256]; /* "": none */
};

/* Of a row of sql_take; yours. ERR_NOMEM. */
enum err_code delivery_new(const PGresult *res, int row, int64_t now_s, struct delivery **out,
                           struct err *err) MUST_USE;
void delivery_free(struct delivery *d); /* cancels what is under way; NULL is fine */
bool delivery_is(const struct delivery *d, const PGresult *res, int row); /* of that row, too */

/* Signs it with the key of a row, if that has one. The failure is the key's: others may do. */
enum err_code delivery_sign(struct delivery *d, const struct keyring *keys, const PGresult *res,
                            int row, struct err *err) MUST_USE;

/* done() will be called, never from inside this call, unless the answer is not ERR_OK: then
 * d->error says why it cannot be sent. */
enum err_code delivery_send(struct delivery *d, struct http *http, int64_t timeout_ms,
                            struct err *err) MUST_USE;

#endif

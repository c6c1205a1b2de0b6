/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the deliveries that are due: takes rows, each for as long as its lease lasts, posts them,
 * writes down how it went. So many at once in all, and so many to one endpoint: one that is slow or
 * dead keeps a few of them busy and nobody waiting. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WEBHOOK_SENDER_H
#define SANDFLEET_WEBHOOK_SENDER_H

#include <stdbool.h>

#include "common/http/http.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/pg/pg.h"
#include "common/secret/keyring.h"
#include "webhook/settings.h"

struct sender; /* opaque */

struct sender_opts { /* borrowed for the sender's life */
    const struct settings *set;
    const struct keyring *keys;
    struct metrics *metrics;
    void (*failed)(void *ctx, const struct err *e); /* waiting does not cure it */
    void (*idle)(void *ctx);                        /* stopped, and nothing is under way any more */
    void *ctx;
};

enum err_code sender_new(struct loop *l, struct pg *pg, const struct sender_opts *opts,
                         struct sender **out, struct err *err) MUST_USE;
void sender_up(struct sender *s, bool up);  /* the database's session is there, or gone */
void sender_poke(struct sender *s);         /* something may be due */
size_t sender_busy(const struct sender *s); /* deliveries under way */
/* Takes no more; idle() is called, not from inside this call. */
void sender_stop(struct sender *s);
void sender_free(
    struct sender *s); /* NULL is fine; what is under way is another one's in a lease */

#endif

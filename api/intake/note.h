/* SPDX-License-Identifier: Apache-2.0 */
/* What the database has to hear of a request behind Kafka's word: that a run was accepted, and what
 * its Idempotency-Key was answered; or that a run is not to be, since its 503 was sent and nobody
 * knows whether Kafka has it. One statement tells all that there is to tell; it is repeated until
 * the database has heard it. Single-threaded. */
#ifndef SANDFLEET_API_NOTE_H
#define SANDFLEET_API_NOTE_H

#include <stdbool.h>

#include "api/telling.h"
#include "common/buf.h"
#include "schema/run_request.h"

/* ledger.cancellations.requested_by of those that are not to be */
#define NOTE_BY "sandfleet-api: not acknowledged in time"

struct note { /* borrowed until return */
    const char *tenant;
    const char *run_id; /* NULL: it is about a key only */
    enum run_lane lane;
    struct str request;       /* the record's value; n 0: the run is not to be */
    const char *key, *holder; /* NULL: there was no key */
    const char *location;
    struct str answer; /* to the key */
};
/* told: the database has it. False: not yet. Called once, never from inside the telling. */
typedef void (*note_fn)(void *ctx, bool told);

extern const struct telling_kind
    note_telling; /* of api->notes; at the end what was not told is lost */

/* False: too much waits for the database already, or no memory; fn is not called. */
bool note_tell(struct telling *t, const struct note *n, note_fn fn, void *ctx);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints and deliveries (schema webhook of the database), as commands change and tell them while
 * sandfleet-webhook runs: it looks at them each time it takes deliveries. All of it blocks; for
 * commands. Only sealed keys go to the database. */
#ifndef SANDFLEET_SCHEMA_WEBHOOK_ROWS_H
#define SANDFLEET_SCHEMA_WEBHOOK_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "schema/credential_rows.h"
#include "schema/webhook.h"

/* A connection for what follows, its schema judged; PQfinish. UNAVAILABLE, CONFIG. */
enum err_code webhook_rows_open(const char *conninfo, PGconn **out, struct err *err) MUST_USE;

struct webhook_at { /* whose, and which; borrowed */
    const char *tenant, *name;
};

struct webhook_new_key { /* borrowed */
    enum webhook_scheme scheme;
    const struct sealed *sealed;
    const char *shown; /* the public key; NULL: there is none */
};

/* states: "{completed,failed}". ERR_CONFLICT: the name is there already. */
enum err_code webhook_rows_add(PGconn *conn, const struct webhook_at *at, const char *url,
                               const char *states, const struct webhook_new_key *key,
                               struct err *err) MUST_USE;

/* Another key; those that it has sign on beside it for overlap_ms. ERR_NOT_FOUND. */
enum err_code webhook_rows_rotate(PGconn *conn, const struct webhook_at *at,
                                  const struct webhook_new_key *key, int64_t overlap_ms,
                                  struct err *err) MUST_USE;

/* Disabled, nothing is sent, and ends of runs make no deliveries; enabled, what had not ended goes
 * on at once. ERR_NOT_FOUND. */
enum err_code webhook_rows_enable(PGconn *conn, const struct webhook_at *at, bool enabled,
                                  struct err *err) MUST_USE;

/* With its keys, deliveries and their log. ERR_CONFLICT: some have not ended, unless force.
 * ERR_NOT_FOUND. */
enum err_code webhook_rows_remove(PGconn *conn, const struct webhook_at *at, bool force,
                                  struct err *err) MUST_USE;

/* Sends it again, with the same id and a day of tries: of one run, or (run_id NULL) all that
 * failed. *n: how many. ERR_NOT_FOUND: no such endpoint, or no delivery of that run that is not
 * being sent just now. */
enum err_code webhook_rows_redeliver(PGconn *conn, const struct webhook_at *at, const char *run_id,
                                     int64_t *n, struct err *err) MUST_USE;

/* One a line, or a JSON array. name NULL: all; tenant NULL: of all. ERR_NOT_FOUND. */
enum err_code webhook_rows_list(PGconn *conn, const struct webhook_at *at, bool json,
                                struct buf *out, struct err *err) MUST_USE;

/* The newest first; with run_id each one's tries, too. failed: only those. ERR_NOT_FOUND: no such
 * endpoint. */
enum err_code webhook_rows_deliveries(PGconn *conn, const struct webhook_at *at, const char *run_id,
                                      bool failed, int64_t limit, bool json, struct buf *out,
                                      struct err *err) MUST_USE;

/* Wraps each key's data key with the keyring's first key, and adds to the counts in *out; the last
 * that could not be in err. Again and again is fine. */
enum err_code webhook_rows_rewrap(PGconn *conn, const struct keyring *k,
                                  struct credential_rewrapped *out, struct err *err) MUST_USE;

#endif

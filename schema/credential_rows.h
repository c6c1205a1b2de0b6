/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials' rows (ledger.credentials), as commands change them while the fleet runs: a
 * worker looks at them each time it takes runs. All of it blocks; for commands. Only sealed
 * secrets go to the database. */
#ifndef SANDFLEET_SCHEMA_CREDENTIAL_ROWS_H
#define SANDFLEET_SCHEMA_CREDENTIAL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "schema/credential.h"

/* A connection for what follows, its schema judged; PQfinish. UNAVAILABLE, CONFIG. */
enum err_code credential_rows_open(const char *conninfo, PGconn **out, struct err *err) MUST_USE;

struct credential_row { /* zero: nothing; release it */
    PGresult *res;      /* what `what` and `pool` point into */
    struct credential_what what;
    const char *pool; /* NULL: in none */
    int64_t generation;
    struct sealed sealed; /* of kind none: nothing */
};
/* ERR_NOT_FOUND: there is none of that name. */
enum err_code credential_rows_find(PGconn *conn, const char *name, struct credential_row *out,
                                   struct err *err) MUST_USE;
void credential_row_release(struct credential_row *r);

/* A new one; sealed NULL: kind none. It takes the place of the "default" without a secret that each
 * installation begins with, and with `replace` of any of its name. ERR_CONFLICT: the name is there
 * already, or is a pool's. */
enum err_code credential_rows_add(PGconn *conn, const struct credential_what *w, struct str pool,
                                  const struct sealed *sealed, bool replace,
                                  struct err *err) MUST_USE;

/* Another secret, and with it another generation; holds that the old one brought about are over.
 * Runs under way keep what they have. ERR_CONFLICT: somebody else changed the row since it was
 * read. */
enum err_code credential_rows_rotate(PGconn *conn, const struct credential_row *old,
                                     const struct sealed *sealed, struct err *err) MUST_USE;

/* No run gets it until it is enabled; enabling ends any hold. ERR_NOT_FOUND. */
enum err_code credential_rows_enable(PGconn *conn, const char *name, bool enabled,
                                     struct err *err) MUST_USE;

/* ERR_CONFLICT: runs use it just now, unless force; those go on. ERR_NOT_FOUND. */
enum err_code credential_rows_remove(PGconn *conn, const char *name, bool force,
                                     struct err *err) MUST_USE;

struct credential_rewrapped {
    int64_t done, already;
    int64_t failed; /* the last of them in err */
};
/* Wraps each row's data key with the keyring's first key, one after the other; again and again is
 * fine. ERR_CONFLICT: a worker that runs lacks that key, unless force; nothing was done then. */
enum err_code credential_rows_rewrap(PGconn *conn, const struct keyring *k, bool force,
                                     struct credential_rewrapped *out, struct err *err) MUST_USE;

/* One a line, or a JSON array. limits: what the service told of each one's windows, instead of
 * where it comes from. name NULL: all. ERR_NOT_FOUND. */
enum err_code credential_rows_list(PGconn *conn, const char *name, bool limits, bool json,
                                   struct buf *out, struct err *err) MUST_USE;

#endif

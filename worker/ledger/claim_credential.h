/* SPDX-License-Identifier: Apache-2.0 */
/* The credential that a claim runs with, as its row has it: sealed. It is opened for one upload,
 * and closed again; no list of open ones is kept anywhere. */
#ifndef SANDFLEET_WORKER_CLAIM_CREDENTIAL_H
#define SANDFLEET_WORKER_CLAIM_CREDENTIAL_H

#include <libpq-fe.h>

#include "schema/credential.h"

enum { CLAIM_CREDENTIAL_COLUMNS = 9 };

struct claim_credential {
    char *name, *tenant, *pool, *base_url; /* pool, base_url NULL: none */
    enum credential_kind kind;
    int64_t generation;
    struct sealed sealed; /* nothing: kind none, or a row that somebody damaged */
};

/* From the columns of CLAIM_CREDENTIAL (ledger_sql_parts.h), the first of them `col`. *out NULL:
 * the claim has none of the name that it asks for. ERR_NOMEM, ERR_PROTOCOL. */
enum err_code claim_credential_read(const PGresult *res, int row, int col,
                                    struct claim_credential **out, struct err *err) MUST_USE;

/* *plain NULL: its kind is none. Else it is yours. As credential_open(). */
enum err_code claim_credential_open(const struct claim_credential *c, const struct keyring *keys,
                                    struct secret **plain, struct err *err) MUST_USE;

void claim_credential_free(struct claim_credential *c); /* NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ledger/claim_credential.h"

#include <stdlib.h>

#include "common/pg/pg.h"
#include "common/banned.h"

enum { /* columns, from the first on */
       NAME,
       TENANT,
       POOL,
       URL,
       KIND,
       GENERATION,
       KEY,
       WRAPPED,
       SEALED
};

static bool copy(const char *text, char **out)
{
    *out = text ? str_dup(str_of(text)) : NULL;
    return !text || *out;
}

/* A row that does not read is no reason to lose the claim: its secret does not open. */
static enum err_code read_sealed(const PGresult *res, int row, int col, struct claim_credential *c,
                                 struct err *err)
{
    struct err bad = ERR_INIT;

    if (c->kind == CREDENTIAL_NONE ||
        credential_read_sealed(pg_text(res, row, col + KEY), pg_text(res, row, col + WRAPPED),
                               pg_text(res, row, col + SEALED), &c->sealed, &bad) != ERR_NOMEM)
        return ERR_OK;
    *err = bad;
    return ERR_NOMEM;
}

enum err_code claim_credential_read(const PGresult *res, int row, int col,
                                    struct claim_credential **out, struct err *err)
{
    struct claim_credential *c;

    *out = NULL;
    if (!pg_text(res, row, col + NAME))
        return ERR_OK;
    c = calloc(1, sizeof(*c));
    if (!c || !copy(pg_text(res, row, col + NAME), &c->name) ||
        !copy(pg_text(res, row, col + TENANT), &c->tenant) ||
        !copy(pg_text(res, row, col + POOL), &c->pool) ||
        !copy(pg_text(res, row, col + URL), &c->base_url)) {
        claim_credential_free(c);
        return err_set(err, ERR_NOMEM, "a credential");
    }
    c->generation = pg_int(res, row, col + GENERATION);
    enum err_code rc =
        credential_kind_parse(str_of(pg_text(res, row, col + KIND)), &c->kind)
            ? read_sealed(res, row, col, c, err)
            : err_set(err, ERR_PROTOCOL, "credential '%s' has an unknown kind", c->name);
    if (rc != ERR_OK) {
        claim_credential_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

enum err_code claim_credential_open(const struct claim_credential *c, const struct keyring *keys,
                                    struct secret **plain, struct err *err)
{
    const struct credential_what w = {.tenant = str_of(c->tenant),
                                      .name = str_of(c->name),
                                      .kind = c->kind,
                                      .base_url = str_of(c->base_url)};
    enum err_code rc = ERR_OK;

    *plain = NULL;
    if (c->kind == CREDENTIAL_NONE)
        return ERR_OK;
    rc = c->sealed.box.len > 0 ? credential_open(keys, &w, &c->sealed, plain, err)
                               : err_set(err, ERR_INVALID, "there is nothing to open");
    return rc == ERR_OK ? rc : err_wrap(err, "credential '%s'", c->name);
}

void claim_credential_free(struct claim_credential *c)
{
    if (!c)
        return;
    free(c->name);
    free(c->tenant);
    free(c->pool);
    free(c->base_url);
    sealed_release(&c->sealed);
    free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What this worker can open, and the ledger's knowledge of it. */
#include <stdlib.h>

#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 4 * CREDENTIALS_MAX * (RUN_NAME_MAX_BYTES + 3) };

/* The one of the settings is there even without a secret: agents then run without. */
static enum err_code add_default(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    enum credential_kind kind = s->oauth_token ? CREDENTIAL_OAUTH
                                : s->api_key   ? CREDENTIAL_API_KEY
                                               : CREDENTIAL_NONE;

    if (kind == CREDENTIAL_NONE && credentials_find(&f->credentials, CREDENTIAL_DEFAULT))
        return ERR_OK; /* the file's */
    return credentials_add(&f->credentials, STR(CREDENTIAL_DEFAULT), (struct str){0}, kind,
                           secret_value(s->oauth_token ? s->oauth_token : s->api_key), err);
}

static void add_names(const struct credentials *c, struct buf *out)
{
    ledger_array_open(out);
    for (size_t i = 0; i < c->n; i++)
        ledger_array_text(out, c->items[i].name);
    ledger_array_close(out);
}

enum err_code fleet_open_credentials(struct fleet *f, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (f->set->credentials)
        rc = credentials_read(&f->credentials, f->set->credentials, err);
    if (rc == ERR_OK)
        rc = add_default(f, err);
    if (rc != ERR_OK)
        return err_wrap(err, "credentials");
    f->credential_names = BUF_INIT(LIST_MAX_BYTES);
    add_names(&f->credentials, &f->credential_names);
    if (f->credential_names.rc != ERR_OK)
        return err_set(err, ERR_NOMEM, "the credentials");
    for (size_t i = 0; rc == ERR_OK && i < f->credentials.n; i++)
        rc = redactor_know(f->redactor, secret_value(f->credentials.items[i].secret), err);
    return rc;
}

/* Asked for again with the next connection; runs of a name nobody told of would end. */
static void on_told(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    (void)res;
    if (e->code != ERR_OK && err_action(e->code) != ERR_DO_RETRY)
        fleet_fatal(f, "ledger.credentials", e);
}

void fleet_tell_credentials(struct fleet *f)
{
    struct buf pools = BUF_INIT(LIST_MAX_BYTES), kinds = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;

    ledger_array_open(&pools);
    ledger_array_open(&kinds);
    for (size_t i = 0; i < f->credentials.n; i++) {
        ledger_array_text(&pools, f->credentials.items[i].pool);
        ledger_array_text(&kinds, credential_kind_name(f->credentials.items[i].kind));
    }
    ledger_array_close(&pools);
    ledger_array_close(&kinds);
    if (pools.rc == ERR_OK && kinds.rc == ERR_OK)
        (void)!ledger_have_credentials(f->ledger, f->credential_names.p, pools.p, kinds.p, on_told,
                                       f, &err);
    buf_release(&pools);
    buf_release(&kinds);
}

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

enum err_code fleet_open_credentials(struct fleet *f, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (f->set->credentials)
        rc = credentials_read(&f->credentials, f->set->credentials, err);
    if (rc == ERR_OK)
        rc = add_default(f, err);
    if (rc != ERR_OK)
        return err_wrap(err, "credentials");
    f->secrets = calloc(f->credentials.n + 1, sizeof(*f->secrets));
    return f->secrets ? ERR_OK : err_set(err, ERR_NOMEM, "the credentials");
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
    struct buf col[3] = {BUF_INIT(LIST_MAX_BYTES), BUF_INIT(LIST_MAX_BYTES),
                         BUF_INIT(LIST_MAX_BYTES)};
    struct err err = ERR_INIT;

    for (int c = 0; c < 3; c++)
        ledger_array_open(&col[c]);
    for (size_t i = 0; i < f->credentials.n; i++) {
        const struct credential *one = &f->credentials.items[i];
        ledger_array_text(&col[0], one->name);
        ledger_array_text(&col[1], one->pool);
        ledger_array_text(&col[2], credential_kind_name(one->kind));
    }
    for (int c = 0; c < 3; c++)
        ledger_array_close(&col[c]);
    if (col[0].rc == ERR_OK && col[1].rc == ERR_OK && col[2].rc == ERR_OK)
        (void)!ledger_have_credentials(f->ledger, col[0].p, col[1].p, col[2].p, on_told, f, &err);
    for (int c = 0; c < 3; c++)
        buf_release(&col[c]);
}

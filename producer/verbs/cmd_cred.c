/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet cred …`: the agents' credentials. What goes to the database is sealed here. */
#include "producer/verbs/cmd_cred.h"

#include <inttypes.h>

#include "common/pg/pg_once.h"
#include "common/secret/secret.h"
#include "producer/verbs/master_keys.h"
#include "schema/credential_rows.h"
#include "schema/webhook_rows.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 16 << 20 };

static struct cred *of(struct client *c)
{
    return CONTAINER_OF(c, struct cred, client);
}

static void secret_done(struct secret **s)
{
    secret_free(*s);
}
#define AUTO_SECRET AUTO(secret_done) struct secret

static void keyring_done(struct keyring **k)
{
    keyring_free(*k);
}
#define AUTO_KEYRING AUTO(keyring_done) struct keyring

static enum err_code open_rows(const struct client *c, PGconn **out, struct err *err)
{
    if (!c->database)
        return err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    return credential_rows_open(c->database, out, err);
}

static enum err_code open_keys(const struct cred *s, struct keyring **out, struct err *err)
{
    return master_keys_open(s->key_file, s->key_command, out, err);
}

static enum err_code one_name(int n, const char *what, struct err *err)
{
    return n == 1 ? ERR_OK : err_set(err, ERR_USAGE, "want the name of %s", what);
}

/* --- add, rotate ---------------------------------------------------------------- */

static enum err_code say_kind(const struct cred *s, struct credential_what *w, struct err *err)
{
    if (!s->kind || credential_kind_parse(str_of(s->kind), &w->kind))
        return ERR_OK;
    return err_set(err, ERR_USAGE, "--kind is oauth, api_key, gateway or none, not '%.40s'",
                   s->kind);
}

/* A kind that was not given is that of its looks, or a gateway's where there is an address. */
static enum err_code learn_kind(const struct cred *s, struct str secret, struct credential_what *w,
                                struct err *err)
{
    if (s->kind)
        return ERR_OK;
    w->kind = credential_kind_guess(secret);
    if (w->kind == CREDENTIAL_NONE && w->base_url.n > 0)
        w->kind = CREDENTIAL_GATEWAY;
    return w->kind != CREDENTIAL_NONE
               ? ERR_OK
               : err_set(err, ERR_USAGE,
                         "the secret does not tell its kind: --kind oauth, api_key or gateway");
}

static enum err_code read_and_seal(const struct cred *s, struct credential_what *w,
                                   struct sealed *out, struct err *err)
{
    AUTO_KEYRING *keys = NULL;
    AUTO_SECRET *secret = NULL;
    enum err_code rc = open_keys(s, &keys, err);

    if (rc == ERR_OK)
        rc = cred_secret_read(s->secret_file, &secret, err);
    if (rc == ERR_OK)
        rc = learn_kind(s, secret_value(secret), w, err);
    if (rc == ERR_OK)
        rc = credential_check(w, err);
    if (rc == ERR_OK)
        rc = credential_check_secret(w, secret_value(secret), err);
    return rc == ERR_OK ? credential_seal(keys, w, secret, out, err) : rc;
}

int command_cred_add(struct client *c, int n, char **words)
{
    const struct cred *s = of(c);
    struct credential_what w = {.tenant = str_of(c->tenant ? c->tenant : CREDENTIAL_ALL_TENANTS),
                                .name = str_of(n == 1 ? words[0] : NULL),
                                .kind = CREDENTIAL_GATEWAY,
                                .base_url = str_of(s->base_url)};
    AUTO(sealed_release) struct sealed sealed = {0};
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    struct str pool = str_of(s->pool);
    enum err_code rc = one_name(n, "the new credential", &err);

    if (rc == ERR_OK)
        rc = say_kind(s, &w, &err);
    if (rc == ERR_OK && (w.kind != CREDENTIAL_GATEWAY || s->kind)) /* else it is not known yet */
        rc = credential_check(&w, &err);
    if (rc == ERR_OK && w.kind == CREDENTIAL_NONE && s->secret_file)
        rc = err_set(&err, ERR_USAGE, "kind none has no secret");
    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK && w.kind != CREDENTIAL_NONE)
        rc = read_and_seal(s, &w, &sealed, &err);
    if (rc == ERR_OK)
        rc = credential_rows_add(conn, &w, pool, w.kind == CREDENTIAL_NONE ? NULL : &sealed,
                                 s->replace, &err);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

/* Kind and address stay: the secret of another kind is another credential. */
int command_cred_rotate(struct client *c, int n, char **words)
{
    struct cred s = *of(c);
    AUTO(credential_row_release) struct credential_row row = {0};
    AUTO(sealed_release) struct sealed sealed = {0};
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    char kind[16] = "kept";
    enum err_code rc = one_name(n, "a credential", &err);

    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK)
        rc = credential_rows_find(conn, words[0], &row, &err);
    if (rc == ERR_OK && row.what.kind == CREDENTIAL_NONE)
        rc = err_set(&err, ERR_CONFLICT, "'%s' is of kind none, without a secret", words[0]);
    s.kind = kind; /* it is known: nothing is to be guessed */
    if (rc == ERR_OK)
        rc = read_and_seal(&s, &row.what, &sealed, &err);
    if (rc == ERR_OK)
        rc = credential_rows_rotate(conn, &row, &sealed, &err);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

/* --- test ------------------------------------------------------------------------ */

static const char in_sandboxes[] =
    "an agent gets it by file descriptor: it is not in the environment of the agent's tools, but "
    "who prompts the agent can have it read out of Claude Code's memory; it never enters a sandbox "
    "where workers have --credential-mode proxy and the sandbox service adds headers";

static enum err_code judge(const char *name, long status, struct err *err)
{
    if (status == 401 || status == 403)
        return err_set(err, ERR_UNAUTHORIZED, "'%s' is refused: status %ld", name, status);
    if (status >= 500)
        return err_set(err, ERR_UNAVAILABLE, "the API answers %ld, which tells nothing of '%s'",
                       status, name);
    if (status < 300)
        client_note("'%s' is accepted", name);
    else if (status == 429)
        client_note("'%s' is accepted, and its limit is reached", name);
    else
        client_note("'%s' was not refused: the API answers %ld", name, status);
    return ERR_OK;
}

static enum err_code test_row(const struct cred *s, const struct credential_row *row,
                              const char *name, struct err *err)
{
    AUTO_KEYRING *keys = NULL;
    AUTO_SECRET *secret = NULL;
    long status = 0;

    if (row->what.kind == CREDENTIAL_NONE) {
        client_note("'%s' is of kind none: agents run without a credential", name);
        return ERR_OK;
    }
    if (open_keys(s, &keys, err) != ERR_OK)
        return err->code;
    if (credential_open(keys, &row->what, &row->sealed, &secret, err) != ERR_OK)
        return err_wrap(err, "'%s' does not open", name);
    client_note("'%s' opens with master key %s", name, row->sealed.key_id);
    client_note("%s", in_sandboxes);
    if (s->offline)
        return ERR_OK;
    enum err_code rc = cred_ask(row->what.base_url.n > 0 ? row->what.base_url.p : s->base_url,
                                row->what.kind, secret, &status, err);
    return rc == ERR_OK ? judge(name, status, err) : rc;
}

int command_cred_test(struct client *c, int n, char **words)
{
    AUTO(credential_row_release) struct credential_row row = {0};
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = one_name(n, "a credential", &err);

    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK)
        rc = credential_rows_find(conn, words[0], &row, &err);
    if (rc == ERR_OK)
        rc = test_row(of(c), &row, words[0], &err);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

/* --- list, limits ------------------------------------------------------------------ */

static int list(const struct client *c, int n, char **words, bool limits)
{
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;

    bool done = open_rows(c, &conn, &err) == ERR_OK &&
                credential_rows_list(conn, n == 1 ? words[0] : NULL, limits,
                                     c->output != OUTPUT_TEXT, &text, &err) == ERR_OK &&
                client_put_list(c, &text, "credentials", &err);
    return done ? 0 : client_fail(&err);
}

int command_cred_list(struct client *c, int n, char **words)
{
    return list(c, n, words, false);
}

int command_cred_limits(struct client *c, int n, char **words)
{
    return list(c, n, words, true);
}

/* --- disable, enable, rm, rewrap ----------------------------------------------------- */

static int enable(const struct client *c, int n, char **words, bool enabled)
{
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = one_name(n, "a credential", &err);

    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK)
        rc = credential_rows_enable(conn, words[0], enabled, &err);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

int command_cred_disable(struct client *c, int n, char **words)
{
    return enable(c, n, words, false);
}

int command_cred_enable(struct client *c, int n, char **words)
{
    return enable(c, n, words, true);
}

int command_cred_rm(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = one_name(n, "a credential", &err);

    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK)
        rc = credential_rows_remove(conn, words[0], c->force, &err);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

int command_cred_rewrap(struct client *c, int n, char **words)
{
    struct credential_rewrapped r = {0};
    AUTO_KEYRING *keys = NULL;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = open_keys(of(c), &keys, &err);

    (void)n, (void)words;
    if (rc == ERR_OK)
        rc = open_rows(c, &conn, &err);
    if (rc == ERR_OK)
        rc = credential_rows_rewrap(conn, keys, c->force, &r, &err);
    if (rc == ERR_OK)
        rc = webhook_rows_rewrap(conn, keys, &r, &err);
    if (rc == ERR_OK)
        client_note("%" PRId64 " wrapped with master key %s, %" PRId64 " were already, %" PRId64
                    " could not be",
                    r.done, keyring_id(keys, 0), r.already, r.failed);
    return rc == ERR_OK && r.failed == 0 ? 0 : client_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet webhook …`: who is told that runs ended. A key is made and sealed here, and what the
 * receiver needs of it is shown once. */
#include "producer/verbs/cmd_webhook.h"

#include <inttypes.h>

#include <sodium.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "common/secret/secret.h"
#include "common/uuid.h"
#include "producer/verbs/master_keys.h"
#include "schema/webhook_rows.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 64 << 20, LINE_MAX_BYTES = 4096, STATES_MAX_BYTES = 128 };

static const struct webhook_settings *of(const struct client *c)
{
    return (const struct webhook_settings *)c;
}

static void keyring_done(struct keyring **k)
{
    keyring_free(*k);
}
#define AUTO_KEYRING AUTO(keyring_done) struct keyring

static enum err_code open_rows(const struct client *c, PGconn **out, struct err *err)
{
    if (!c->database)
        return err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    return webhook_rows_open(c->database, out, err);
}

/* The words name the webhook, and `more` further things; then the database is opened. */
static enum err_code begin(const struct client *c, int n, char **words, int least, int most,
                           PGconn **conn, struct webhook_at *at, struct err *err)
{
    if (n < least || n > most)
        return err_set(err, ERR_USAGE, "want the name of a webhook%s",
                       most > 1 ? ", and the id of a run" : "");
    if (n > 1 && !uuid_valid(str_of(words[1])))
        return err_set(err, ERR_USAGE, "'%.64s' is no run's id", words[1]);
    *at = (struct webhook_at){c->tenant, n > 0 ? words[0] : NULL};
    return open_rows(c, conn, err);
}

/* --- add, rotate ---------------------------------------------------------------- */

struct new_key {
    struct sealed sealed;
    struct buf shown; /* to be wiped */
    enum webhook_scheme scheme;
};

static void new_key_release(struct new_key *k)
{
    sealed_release(&k->sealed);
    if (k->shown.p)
        sodium_memzero(k->shown.p, k->shown.len);
    buf_release(&k->shown);
}

static enum err_code make_key(const struct webhook_settings *s, const char *name,
                              struct new_key *out, struct err *err)
{
    AUTO_KEYRING *keys = NULL;
    struct secret *key = NULL;
    enum err_code rc = master_keys_open(s->key_file, s->key_command, &keys, err);

    out->shown = BUF_INIT(WEBHOOK_KEY_TEXT_MAX_BYTES);
    if (rc == ERR_OK && !webhook_scheme_parse(str_of(s->scheme), &out->scheme))
        rc = err_set(err, ERR_USAGE, "--scheme is v1 or v1a, not '%.16s'", s->scheme);
    const struct webhook_key_of about = {str_of(s->client.tenant), str_of(name), out->scheme};
    if (rc == ERR_OK)
        rc = webhook_key_new(out->scheme, &key, err);
    if (rc == ERR_OK)
        rc = webhook_key_seal(keys, &about, key, &out->sealed, err);
    if (rc == ERR_OK)
        rc = webhook_key_shown(out->scheme, secret_value(key), &out->shown, err);
    secret_free(key);
    return rc;
}

static struct webhook_new_key row_of(const struct new_key *k)
{
    return (struct webhook_new_key){k->scheme, &k->sealed,
                                    k->scheme == WEBHOOK_V1 ? NULL : k->shown.p};
}

/* What the receiver checks with, alone on standard output, so that it can be put away by a pipe. */
static bool show(const struct client *c, const char *name, const struct new_key *k, struct err *err)
{
    AUTO_BUF out = BUF_INIT(LINE_MAX_BYTES);
    bool gone = false;

    if (c->output == OUTPUT_TEXT) {
        buf_addf(&out, "%s\n", k->shown.p);
    } else {
        buf_addc(&out, '{');
        json_kv(&out, "name", name);
        json_kv(&out, "tenant", c->tenant);
        json_kv(&out, "scheme", webhook_scheme_name(k->scheme));
        json_kv(&out, k->scheme == WEBHOOK_V1 ? "secret" : "public_key", k->shown.p);
        buf_adds(&out, "}\n");
    }
    bool done = client_put(out.p, out.len, &gone, err);
    sodium_memzero(out.p, out.len);
    if (done && c->output == OUTPUT_TEXT && !c->quiet && k->scheme == WEBHOOK_V1)
        client_note("it is not shown again: the receiver checks the signatures with it");
    return done;
}

/* "{completed,failed}" */
static enum err_code states_of(const struct opt_list *words, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < words->n; i++) {
        if (!webhook_state_ok(str_of(words->items[i])))
            return err_set(err, ERR_USAGE,
                           "--state is completed, failed, timed_out, cancelled or expired, not "
                           "'%.40s'",
                           words->items[i]);
        buf_addf(out, "%c%s", i == 0 ? '{' : ',', words->items[i]);
    }
    buf_addc(out, '}');
    return out->rc == ERR_OK ? ERR_OK : err_set(err, ERR_USAGE, "--state: too many");
}

static enum err_code check_add(const struct webhook_settings *s, const char *name,
                               struct buf *states, struct err *err)
{
    if (!s->url)
        return err_set(err, ERR_USAGE, "--url is missing: where is it told?");
    if (webhook_check(str_of(name), str_of(s->url), s->plain_http, err) != ERR_OK)
        return err->code = ERR_USAGE;
    return states_of(&s->states, states, err);
}

int command_webhook_add(struct client *c, int n, char **words)
{
    const struct webhook_settings *s = of(c);
    AUTO(new_key_release) struct new_key key = {0};
    AUTO_BUF states = BUF_INIT(STATES_MAX_BYTES);
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 1, 1, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = check_add(s, at.name, &states, &err);
    if (rc == ERR_OK)
        rc = make_key(s, at.name, &key, &err);
    const struct webhook_new_key row = row_of(&key);
    if (rc == ERR_OK)
        rc = webhook_rows_add(conn, &at, s->url, states.p, &row, &err);
    return rc == ERR_OK && show(c, at.name, &key, &err) ? EXIT_OK : client_fail(&err);
}

int command_webhook_rotate(struct client *c, int n, char **words)
{
    const struct webhook_settings *s = of(c);
    AUTO(new_key_release) struct new_key key = {0};
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 1, 1, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = make_key(s, at.name, &key, &err);
    const struct webhook_new_key row = row_of(&key);
    if (rc == ERR_OK)
        rc = webhook_rows_rotate(conn, &at, &row, s->overlap_ms, &err);
    return rc == ERR_OK && show(c, at.name, &key, &err) ? EXIT_OK : client_fail(&err);
}

/* --- enable, disable, rm ----------------------------------------------------------- */

static int enable(const struct client *c, int n, char **words, bool enabled)
{
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 1, 1, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = webhook_rows_enable(conn, &at, enabled, &err);
    return rc == ERR_OK ? EXIT_OK : client_fail(&err);
}

int command_webhook_enable(struct client *c, int n, char **words)
{
    return enable(c, n, words, true);
}

int command_webhook_disable(struct client *c, int n, char **words)
{
    return enable(c, n, words, false);
}

int command_webhook_rm(struct client *c, int n, char **words)
{
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 1, 1, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = webhook_rows_remove(conn, &at, c->force, &err);
    return rc == ERR_OK ? EXIT_OK : client_fail(&err);
}

/* --- list, deliveries, redeliver ------------------------------------------------------ */

int command_webhook_list(struct client *c, int n, char **words)
{
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 0, 1, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = webhook_rows_list(conn, &at, c->output != OUTPUT_TEXT, &text, &err);
    return rc == ERR_OK && client_put_list(c, &text, "webhooks", &err) ? EXIT_OK
                                                                       : client_fail(&err);
}

int command_webhook_deliveries(struct client *c, int n, char **words)
{
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    enum err_code rc = begin(c, n, words, 1, 2, &conn, &at, &err);

    if (rc == ERR_OK)
        rc = webhook_rows_deliveries(conn, &at, n > 1 ? words[1] : NULL, of(c)->failed, c->limit,
                                     c->output != OUTPUT_TEXT, &text, &err);
    return rc == ERR_OK && client_put_list(c, &text, "such deliveries", &err) ? EXIT_OK
                                                                              : client_fail(&err);
}

int command_webhook_redeliver(struct client *c, int n, char **words)
{
    const struct webhook_settings *s = of(c);
    struct webhook_at at;
    struct err err = ERR_INIT;
    AUTO_CONN *conn = NULL;
    int64_t done = 0;
    enum err_code rc = ERR_OK;

    if (n > 0 && (n == 2) == s->failed)
        rc = err_set(&err, ERR_USAGE, "want either the id of a run or --failed");
    if (rc == ERR_OK)
        rc = begin(c, n, words, 1, 2, &conn, &at, &err);
    if (rc == ERR_OK)
        rc = webhook_rows_redeliver(conn, &at, n > 1 ? words[1] : NULL, &done, &err);
    if (rc != ERR_OK)
        return client_fail(&err);
    if (!c->quiet)
        client_note("sent again: %" PRId64, done);
    return EXIT_OK;
}

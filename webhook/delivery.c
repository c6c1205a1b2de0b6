/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret/secret.h"
#include "schema/credential.h"
#include "schema/webhook.h"
#include "webhook/sign.h"
#include "webhook/sql.h"

#include "common/banned.h"

enum {
    SIGNATURES_BYTES = 4096,
    HEADER_BYTES = SIGNATURES_BYTES + 64,
    ANSWER_BYTES = 64 << 10 /* more of an answer is not waited for */
};

/* --- from a row ------------------------------------------------------------------- */

static char *column(const PGresult *res, int row, int col)
{
    const char *text = pg_text(res, row, col);

    return str_dup(str_of(text ? text : ""));
}

enum err_code delivery_new(const PGresult *res, int row, int64_t now_s, struct delivery **out,
                           struct err *err)
{
    struct delivery *d = calloc(1, sizeof(*d));

    *out = NULL;
    if (!d)
        return err_set(err, ERR_NOMEM, "a delivery");
    d->signatures = BUF_INIT(SIGNATURES_BYTES);
    d->at_s = now_s;
    d->tries = pg_int(res, row, TAKE_TRIES);
    const struct {
        char **to;
        int col;
    } columns[] = {{&d->endpoint, TAKE_ENDPOINT}, {&d->run_id, TAKE_RUN},
                   {&d->state, TAKE_STATE},       {&d->attempt, TAKE_ATTEMPT},
                   {&d->tenant, TAKE_TENANT},     {&d->name, TAKE_NAME},
                   {&d->url, TAKE_URL},           {&d->body, TAKE_BODY}};
    for (size_t i = 0; i < COUNTOF(columns); i++) {
        *columns[i].to = column(res, row, columns[i].col);
        if (!*columns[i].to) {
            delivery_free(d);
            return err_set(err, ERR_NOMEM, "a delivery");
        }
    }
    *out = d;
    return ERR_OK;
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    http_cancel(d->req);
    buf_release(&d->signatures);
    free(d->endpoint);
    free(d->run_id);
    free(d->state);
    free(d->attempt);
    free(d->tenant);
    free(d->name);
    free(d->url);
    free(d->body);
    free(d);
}

bool delivery_is(const struct delivery *d, const PGresult *res, int row)
{
    return strcmp(d->endpoint, pg_text(res, row, TAKE_ENDPOINT)) == 0 &&
           strcmp(d->run_id, pg_text(res, row, TAKE_RUN)) == 0 &&
           strcmp(d->state, pg_text(res, row, TAKE_STATE)) == 0;
}

/* --- signed ------------------------------------------------------------------------- */

/* f(run, state): the same each time that it is sent, for receivers that must not do a thing twice.
 */
static void id_of(const struct delivery *d, char out[128])
{
    (void)snprintf(out, 128, "run_%s_%s", d->run_id, d->state);
}

static enum err_code sign(struct delivery *d, enum webhook_scheme scheme, const struct secret *key,
                          struct err *err)
{
    char id[128];
    const struct sign_message m = {id, d->at_s, str_of(d->body)};

    id_of(d, id);
    return sign_add(&m, scheme, secret_value(key), &d->signatures, err);
}

enum err_code delivery_sign(struct delivery *d, const struct keyring *keys, const PGresult *res,
                            int row, struct err *err)
{
    struct webhook_key_of of = {.tenant = str_of(d->tenant), .name = str_of(d->name)};
    AUTO(sealed_release) struct sealed sealed = {0};
    const char *scheme = pg_text(res, row, TAKE_SCHEME);
    struct secret *key = NULL;

    if (!scheme)
        return ERR_OK;
    if (!webhook_scheme_parse(str_of(scheme), &of.scheme))
        return err_set(err, ERR_INVALID, "a key of an unknown scheme");
    enum err_code rc =
        credential_read_sealed(pg_text(res, row, TAKE_KEY), pg_text(res, row, TAKE_WRAPPED),
                               pg_text(res, row, TAKE_SEALED), &sealed, err);
    if (rc == ERR_OK)
        rc = webhook_key_open(keys, &of, &sealed, &key, err);
    if (rc == ERR_OK)
        rc = sign(d, of.scheme, key, err);
    secret_free(key);
    return rc;
}

/* --- sent ----------------------------------------------------------------------------- */

/* For a column: of what the other side put into it, only what is text everywhere. */
static void set_error(struct delivery *d, const char *why)
{
    (void)snprintf(d->error, sizeof(d->error), "%s", why);
    for (char *p = d->error; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

static void over(struct delivery *d, int status, const struct err *e)
{
    char text[32];

    d->req = NULL;
    d->took_ms = clock_boot_ms() - d->began_ms;
    d->status = status;
    d->verdict = verdict_of(status);
    (void)snprintf(text, sizeof(text), "HTTP status %d", status);
    if (d->verdict != VERDICT_DELIVERED)
        set_error(d, e->code == ERR_OK ? text : e->msg);
    d->done(d);
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct delivery *d = ctx;

    d->retry_after_ms = a->retry_after_ms;
    over(d, a->status, e);
}

/* What it says behind its status is nobody's concern, and not worth waiting for. */
static void on_data(void *ctx, struct str piece)
{
    struct delivery *d = ctx;
    struct err none = ERR_INIT;
    int status = http_status(d->req);

    d->answered += piece.n;
    if (d->answered <= ANSWER_BYTES)
        return;
    http_cancel(d->req);
    over(d, status, &none);
}

static bool allowed(void *ctx, const struct sockaddr *to)
{
    const struct delivery *d = ctx;

    return guard_allows(d->guard, to);
}

enum err_code delivery_send(struct delivery *d, struct http *http, int64_t timeout_ms,
                            struct err *err)
{
    static const struct http_events events = {.done = on_done, .data = on_data};
    char id[128], id_line[160], at_line[64], signature_line[HEADER_BYTES];
    const char *const headers[] = {"Content-Type: application/json", id_line, at_line,
                                   signature_line};
    const struct http_call call = {.method = "POST",
                                   .url = d->url,
                                   .headers = headers,
                                   .n_headers = COUNTOF(headers),
                                   .body = str_of(d->body),
                                   .connect_ms = timeout_ms,
                                   .total_ms = timeout_ms,
                                   .max_body = ANSWER_BYTES,
                                   .once = true, /* and so each time the address is looked at */
                                   .allowed = allowed};

    id_of(d, id);
    (void)snprintf(id_line, sizeof(id_line), "webhook-id: %s", id);
    (void)snprintf(at_line, sizeof(at_line), "webhook-timestamp: %" PRId64, d->at_s);
    (void)snprintf(signature_line, sizeof(signature_line), "webhook-signature: %s",
                   d->signatures.p ? d->signatures.p : "");
    d->began_ms = clock_boot_ms();
    enum err_code rc = d->signatures.len > 0
                           ? http_start(http, &call, &events, d, &d->req, err)
                           : err_set(err, ERR_CONFIG, "none of its keys can sign");
    if (rc == ERR_OK)
        return ERR_OK;
    d->req = NULL;
    d->verdict = VERDICT_AGAIN;
    set_error(d, err->msg);
    return rc;
}

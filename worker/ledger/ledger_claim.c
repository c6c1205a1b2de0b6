/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in, array parameters out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/ledger/ledger.h"
#include "common/banned.h"

/* In the order of CLAIM in ledger_sql_parts.h. */
enum column {
    COL_RUN,
    COL_LANE,
    COL_REQUEST,
    COL_ATTEMPT,
    COL_FAILURES,
    COL_UNCOUNTED,
    COL_EPOCH,
    COL_TELLINGS,
    COL_STARTED,
    COL_LINE,
    COL_COST,
    COL_INPUT,
    COL_OUTPUT,
    COL_CACHE_READ,
    COL_CACHE_WRITE,
    COL_SANDBOX_MS,
    COL_SANDBOX_USD,
    COL_TERMINAL,
    COL_PUBLISHED,
    COL_EXPIRED,
    COL_AGE,
    COL_CREATED_AGE,
    COL_CREDENTIAL, /* and those behind it */
    COLUMNS = COL_CREDENTIAL + CLAIM_CREDENTIAL_COLUMNS
};

static void text(const PGresult *res, int row, enum column col, char *out, size_t size)
{
    const char *s = pg_text(res, row, (int)col);
    size_t n = s ? strnlen(s, size - 1) : 0;

    if (n > 0)
        memcpy(out, s, n);
    out[n] = '\0';
}

static bool truth(const PGresult *res, int row, enum column col)
{
    const char *s = pg_text(res, row, (int)col);
    return s && *s == 't';
}

static double money(const PGresult *res, int row, enum column col)
{
    const char *s = pg_text(res, row, (int)col);
    return s ? strtod(s, NULL) : 0;
}

static void read_usage(const PGresult *res, int row, struct usage *u)
{
    u->cost_usd = money(res, row, COL_COST);
    u->input_tokens = pg_int(res, row, COL_INPUT);
    u->output_tokens = pg_int(res, row, COL_OUTPUT);
    u->cache_read_tokens = pg_int(res, row, COL_CACHE_READ);
    u->cache_write_tokens = pg_int(res, row, COL_CACHE_WRITE);
    u->sandbox_ms = pg_int(res, row, COL_SANDBOX_MS);
    u->sandbox_usd = money(res, row, COL_SANDBOX_USD);
}

enum err_code ledger_claim_read(const PGresult *res, int row, struct claim *out, struct err *err)
{
    *out = (struct claim){0};
    if (PQnfields(res) != COLUMNS)
        return err_set(err, ERR_PROTOCOL, "a claim has %d columns", PQnfields(res));

    const char *lane = pg_text(res, row, COL_LANE), *terminal = pg_text(res, row, COL_TERMINAL);
    text(res, row, COL_RUN, out->run_id, sizeof(out->run_id));
    out->lane =
        lane && strcmp(lane, run_lane_name(LANE_BATCH)) == 0 ? LANE_BATCH : LANE_INTERACTIVE;
    out->attempt = pg_int(res, row, COL_ATTEMPT);
    out->failures = pg_int(res, row, COL_FAILURES);
    out->uncounted = pg_int(res, row, COL_UNCOUNTED);
    out->epoch = pg_int(res, row, COL_EPOCH);
    out->tellings = pg_int(res, row, COL_TELLINGS);
    out->expired = truth(res, row, COL_EXPIRED);
    out->started = truth(res, row, COL_STARTED);
    out->log_line = pg_int(res, row, COL_LINE);
    read_usage(res, row, &out->used);
    out->published = truth(res, row, COL_PUBLISHED);
    out->age_ms = pg_int(res, row, COL_AGE);
    out->created_age_ms = pg_int(res, row, COL_CREATED_AGE);

    out->request = str_dup(str_of(pg_text(res, row, COL_REQUEST)));
    if (terminal)
        out->terminal = str_dup(str_of(terminal));
    if (!out->request || (terminal && !out->terminal)) {
        claim_release(out);
        return err_set(err, ERR_NOMEM, "claim of run %s", out->run_id);
    }
    enum err_code rc = claim_credential_read(res, row, COL_CREDENTIAL, &out->credential, err);
    if (rc != ERR_OK) {
        claim_release(out);
        return err_wrap(err, "claim of run %s", out->run_id);
    }
    return ERR_OK;
}

void claim_release(struct claim *c)
{
    free(c->request);
    free(c->terminal);
    claim_credential_free(c->credential);
    c->request = c->terminal = NULL;
    c->credential = NULL;
}

void usage_add(struct usage *sum, const struct usage *more)
{
    sum->cost_usd += more->cost_usd;
    sum->input_tokens += more->input_tokens;
    sum->output_tokens += more->output_tokens;
    sum->cache_read_tokens += more->cache_read_tokens;
    sum->cache_write_tokens += more->cache_write_tokens;
    sum->sandbox_ms += more->sandbox_ms;
    sum->sandbox_usd += more->sandbox_usd;
}

/* --- arrays ------------------------------------------------------------------ */

void ledger_array_open(struct buf *b)
{
    buf_addc(b, '{');
}

static void comma(struct buf *b)
{
    if (b->len > 0 && b->p[b->len - 1] != '{')
        buf_addc(b, ',');
}

void ledger_array_text(struct buf *b, const char *cstr)
{
    comma(b);
    if (!cstr) {
        buf_adds(b, "NULL");
        return;
    }
    buf_addc(b, '"');
    for (size_t n; *cstr; cstr += n) {
        n = strcspn(cstr, "\"\\");
        buf_add(b, cstr, n);
        if (cstr[n]) {
            buf_addc(b, '\\');
            buf_addc(b, cstr[n++]);
        }
    }
    buf_addc(b, '"');
}

void ledger_array_int(struct buf *b, int64_t n)
{
    comma(b);
    buf_addf(b, "%" PRId64, n);
}

void ledger_array_close(struct buf *b)
{
    buf_addc(b, '}');
}

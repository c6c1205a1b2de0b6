/* SPDX-License-Identifier: Apache-2.0 */
/* A run request as a record's value: what is absent is left out. */
#include "schema/run_request_fields.h"

#include <assert.h>

#include "common/clock.h"
#include "common/banned.h"

static void write_version(const struct field *f, const struct run_request *r, struct buf *out)
{
    (void)r;
    json_kv_int(out, f->name, RUN_REQUEST_VERSION);
}

static void write_text(const struct field *f, const struct run_request *r, struct buf *out)
{
    json_kv(out, f->name, *(const char *const *)run_field_at(r, f));
}

static void write_int(const struct field *f, const struct run_request *r, struct buf *out)
{
    int64_t n = *(const int64_t *)run_field_at(r, f);

    if (n >= f->least)
        json_kv_int(out, f->name, n);
}

static void write_money(const struct field *f, const struct run_request *r, struct buf *out)
{
    double usd = *(const double *)run_field_at(r, f);

    if (usd > 0)
        json_kv_num(out, f->name, usd);
}

static void write_time(const struct field *f, const struct run_request *r, struct buf *out)
{
    int64_t ms = *(const int64_t *)run_field_at(r, f);
    char text[CLOCK_TEXT];

    if (ms > 0 && run_field_at(r, f) == &r->created_ms && r->created_us > 0)
        json_kv(out, f->name, clock_rfc3339_us(ms, r->created_us, text));
    else if (ms > 0)
        json_kv(out, f->name, clock_rfc3339(ms, text));
}

static void write_session(const struct field *f, const struct run_request *r, struct buf *out)
{
    if (!r->session_id)
        return;
    json_key(out, f->name);
    buf_addc(out, '{');
    json_kv(out, "id", r->session_id);
    if (r->on_busy != ON_BUSY_ENQUEUE)
        json_kv(out, "on_busy", on_busy_name(r->on_busy));
    buf_addc(out, '}');
}

static void write_warn(const struct field *f, const struct run_request *r, struct buf *out)
{
    if (r->n_warn == 0)
        return;
    json_key(out, f->name);
    for (size_t i = 0; i < r->n_warn; i++)
        buf_addf(out, "%c%lld", i == 0 ? '[' : ',', (long long)r->warn_at_s[i]);
    buf_addc(out, ']');
}

static void write_tree(const struct field *f, const struct run_request *r, struct buf *out)
{
    const cJSON *tree = *(const cJSON *const *)run_field_at(r, f);
    char *text;

    if (!tree)
        return;
    text = cJSON_PrintUnformatted(tree);
    if (text)
        json_kv_raw(out, f->name, str_of(text));
    else if (out->rc == ERR_OK)
        out->rc = ERR_NOMEM;
    cJSON_free(text);
}

enum err_code run_request_write(const struct run_request *r, struct buf *out, struct err *err)
{
    static void (*const write[])(const struct field *, const struct run_request *, struct buf *) = {
        [FIELD_VERSION] = write_version, [FIELD_TEXT] = write_text,
        [FIELD_PROMPT] = write_text,     [FIELD_INT] = write_int,
        [FIELD_MONEY] = write_money,     [FIELD_TIME] = write_time,
        [FIELD_SESSION] = write_session, [FIELD_WARN] = write_warn,
        [FIELD_TEXTS] = write_tree,      [FIELD_ENV] = write_tree,
        [FIELD_OBJECT] = write_tree,     [FIELD_UNSUPPORTED] = write_tree,
        [FIELD_FILES] = write_tree,      [FIELD_ARCHIVE] = write_tree,
        [FIELD_REPO] = write_tree,       [FIELD_ARTIFACTS] = write_tree,
    };
    size_t start = out->len;

    assert(r->run_id && r->prompt);
    buf_addc(out, '{');
    for (size_t i = 0; i < run_n_fields; i++)
        write[run_fields[i].kind](&run_fields[i], r, out);
    buf_addc(out, '}');
    if (out->rc != ERR_OK || out->len - start > RUN_REQUEST_MAX_BYTES)
        return err_set(err, out->rc != ERR_OK ? out->rc : ERR_TOO_BIG,
                       "too_large: the request is over %d bytes", RUN_REQUEST_MAX_BYTES);
    return ERR_OK;
}

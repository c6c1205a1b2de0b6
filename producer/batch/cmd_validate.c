/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch validate`: the check that submitting begins with, and all that it finds. */
#include "producer/batch/check.h"

#include "common/json/json.h"
#include "common/banned.h"

struct report {
    const struct batch_client *client;
    struct batch_file *file;
    struct meter meter;
    struct buf out;
    bool gone, any;
    struct err put;
};

enum { FLUSH_BYTES = 32 << 10 };

static void flush(struct report *r)
{
    if (r->put.code == ERR_OK)
        client_put(r->out.p, r->out.len, &r->gone, &r->put);
    buf_clear(&r->out);
}

static void put_problem(struct buf *b, const struct batch_problem *p)
{
    buf_addc(b, '{');
    json_kv_int(b, "line", p->line);
    if (p->column)
        json_kv_int(b, "column", p->column);
    if (p->pointer[0])
        json_kv(b, "pointer", p->pointer);
    json_kv(b, "detail", p->why.msg);
    buf_addc(b, '}');
}

static void on_bad(void *ctx, const struct batch_problem *p)
{
    struct report *r = ctx;
    enum output form = r->client->client.output;

    if (form == OUTPUT_TEXT) {
        batch_problem_text(batch_file_path(r->file), p, &r->out);
    } else {
        if (form == OUTPUT_JSON)
            buf_adds(&r->out, r->any ? ",\n" : "{\"problems\":[\n");
        put_problem(&r->out, p);
    }
    if (form != OUTPUT_JSON)
        buf_addc(&r->out, '\n');
    r->any = true;
    if (r->out.len > FLUSH_BYTES)
        flush(r);
}

static void on_going(void *ctx, const struct batch_counts *counts)
{
    struct report *r = ctx;

    meter_at(&r->meter, counts->lines, 0);
}

static const struct batch_check_events events = {.bad = on_bad, .going = on_going};

static void put_end(struct report *r, const struct batch_counts *n)
{
    struct buf *b = &r->out;

    if (r->client->client.output != OUTPUT_JSON)
        return;
    buf_adds(b, r->any ? "\n]" : "{\"problems\":[]");
    buf_adds(b, ",\"batch_id\":");
    json_put_string(b, str_of(batch_file_name(r->file)));
    batch_counts_json(b, n);
    buf_adds(b, "}\n");
}

static enum err_code validate(struct report *r, int n, char **words, struct err *err)
{
    struct batch_counts counts;
    enum err_code rc = batch_open(r->client, n, words, &r->file, err);

    if (rc != ERR_OK)
        return rc;
    meter_begin(&r->meter, "lines checked", 0, r->client->client.quiet);
    rc = batch_file_check(r->file, &events, r, &counts, err);
    meter_end(&r->meter);
    if (rc != ERR_OK)
        return rc;
    put_end(r, &counts);
    flush(r);
    if (r->put.code != ERR_OK) {
        *err = r->put;
        return err->code;
    }
    if (!r->client->client.quiet)
        batch_counts_notes(&counts);
    if (counts.bad)
        return err_set(err, ERR_INVALID, "%lld of %lld lines of '%s' are bad",
                       (long long)counts.bad, (long long)counts.lines, batch_file_path(r->file));
    if (!r->client->client.quiet)
        client_note("'%s' is good: %lld runs", batch_file_path(r->file), (long long)counts.good);
    return ERR_OK;
}

int command_batch_validate(struct client *c, int n, char **words)
{
    struct report r = {
        .client = (const struct batch_client *)c, .out = BUF_INIT(1 << 20), .put = ERR_INIT};
    struct err err = ERR_INIT;
    enum err_code rc = validate(&r, n, words, &err);

    if (rc != ERR_OK)
        flush(&r);
    batch_file_close(r.file);
    buf_release(&r.out);
    return rc == ERR_OK ? EXIT_OK : client_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/batch/reader.h"
#include "producer/batch/template_rows.h"
#include "common/banned.h"

struct rows {
    struct source *source;
    struct reader reader;
    struct str line, trimmed; /* what was fetched, or: */
    struct csv_record record;
    enum batch_form asked, form;
    struct template_rows *template; /* NULL: none */
    struct buf object, value;
    bool header_read;
};

bool batch_form_parse(const char *name, enum batch_form *out)
{
    static const char *const names[BATCH_FORMS] = {"auto", "jsonl", "text", "csv"};

    for (int i = 0; i < BATCH_FORMS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum batch_form)i;
            return true;
        }
    return false;
}

/* --- opening ------------------------------------------------------------- */

enum err_code rows_open(const struct batch_opts *opts, struct rows **out, struct err *err)
{
    struct rows *r = calloc(1, sizeof(*r));
    enum err_code rc = ERR_OK;

    if (!r)
        return err_set(err, ERR_NOMEM, "cannot open '%s'", opts->path);
    r->asked = opts->form;
    r->object = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    r->value = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    if (opts->template_path)
        rc = template_rows_open(opts->template_path, &r->template, err);
    if (rc == ERR_OK)
        rc = source_open(opts->path, &r->source, err);
    if (rc == ERR_OK) {
        reader_init(&r->reader, r->source);
        *out = r;
    } else {
        rows_close(r);
    }
    return rc;
}

void rows_close(struct rows *r)
{
    if (!r)
        return;
    reader_release(&r->reader);
    source_close(r->source);
    template_rows_close(r->template);
    buf_release(&r->object);
    buf_release(&r->value);
    free(r);
}

enum err_code rows_rewind(struct rows *r, struct err *err)
{
    r->header_read = false;
    r->form = BATCH_AUTO;
    return reader_rewind(&r->reader, err);
}

uint64_t rows_template_hash(const struct rows *r)
{
    return r->template ? template_rows_hash(r->template) : 0;
}

const char *rows_path(const struct rows *r)
{
    return source_name(r->source);
}

int64_t rows_lines(const struct rows *r)
{
    return r->reader.next_line - 1;
}

bool rows_are_same(const struct rows *r)
{
    return source_is_same(r->source);
}

/* --- problems ------------------------------------------------------------ */

static bool bad_at(struct batch_problem *p, int64_t column)
{
    p->column = column;
    return false;
}

static bool not_text(struct batch_problem *p, struct str line, size_t at)
{
    bool utf16 = line.n >= 2 && ((unsigned char)line.p[0] == 0xff ||
                                 (unsigned char)line.p[0] == 0xfe || line.p[1] == '\0');

    err_set(&p->why, ERR_INVALID, "it is not UTF-8 at byte %zu%s", at,
            utf16 ? ", it looks like UTF-16" : "");
    return bad_at(p, (int64_t)at + 1);
}

/* r->object as if it were a line: it is good JSON, as it is of our own making. */
static bool look_at_object(struct rows *r, struct row *out, struct batch_problem *p)
{
    size_t at;

    if (r->object.rc != ERR_OK)
        err_set(&p->why, r->object.rc, "it is over %d bytes", RUN_REQUEST_MAX_BYTES);
    else if (look_at(buf_str(&r->object), &out->look, &at, &p->why) == ERR_OK)
        return true;
    return false;
}

/* --- a line that is an object -------------------------------------------- */

/* What params says, and the other members as they are, as one object. */
static bool of_params(struct rows *r, struct row *out, struct batch_problem *p)
{
    struct look *l = &out->look;
    struct str params = json_member(l->members, l->n, "params");

    if (json_member(l->members, l->n, "prompt").n) {
        err_set(&p->why, ERR_INVALID, "there is 'params', and 'prompt' as well: give one");
        (void)snprintf(p->pointer, sizeof p->pointer, "/prompt");
        return false;
    }
    buf_clear(&r->value);
    if (message_params(params, &r->value, &out->max_tokens, p->pointer, &p->why) != ERR_OK)
        return false;
    buf_clear(&r->object);
    buf_addc(&r->object, '{');
    for (size_t i = 0; i < l->n; i++)
        if (!str_eq(l->members[i].value, params) || !str_is(l->members[i].key, "params")) {
            buf_addc(&r->object, '"');
            buf_addstr(&r->object, l->members[i].key);
            buf_adds(&r->object, "\":");
            buf_addstr(&r->object, l->members[i].value);
            buf_addc(&r->object, ',');
        }
    buf_addstr(&r->object, buf_str(&r->value));
    buf_addc(&r->object, '}');
    out->of_params = true;
    return look_at_object(r, out, p);
}

static bool of_object(const struct rows *r, struct row *out, struct batch_problem *p)
{
    struct str text = r->trimmed;
    int64_t before = text.p - r->line.p;
    size_t at;

    if (text.p[0] != '{') {
        err_set(&p->why, ERR_INVALID,
                text.p[0] == '[' ? "it is an array; write one object a line"
                                 : "it is no object, and the file begins with one; --format text "
                                   "takes every line as a prompt");
        return bad_at(p, before + 1);
    }
    out->text = text;
    if (look_at(text, &out->look, &at, &p->why) == ERR_OK)
        return true;
    return bad_at(p, at == SIZE_MAX ? 0 : before + (int64_t)at + 1);
}

static bool of_request(struct rows *r, struct row *out, struct batch_problem *p)
{
    if (!of_object(r, out, p))
        return false;
    for (size_t i = 0; i < out->look.n; i++)
        if (str_eq(out->look.members[i].key, STR("params")))
            return of_params(r, out, p);
    out->as_is = true;
    return true;
}

/* --- a prompt that is no JSON yet ---------------------------------------- */

static bool of_prompt(struct rows *r, struct str prompt, struct str custom_id, struct row *out,
                      struct batch_problem *p)
{
    if (run_prompt_check(prompt, &p->why) != ERR_OK)
        return false;
    buf_clear(&r->object);
    buf_addc(&r->object, '{');
    if (custom_id.n)
        json_kv_str(&r->object, "custom_id", custom_id);
    json_kv_str(&r->object, "prompt", prompt);
    buf_addc(&r->object, '}');
    out->text = prompt;
    return look_at_object(r, out, p);
}

static bool is_json_object(struct str text)
{
    struct json_scan scan;
    struct err e;

    return text.p[0] == '{' && json_scan(text, NULL, 0, &scan, &e) == ERR_OK;
}

static bool of_text(struct rows *r, struct row *out, struct batch_problem *p)
{
    size_t at;

    if (!str_utf8(r->line, &at))
        return not_text(p, r->line, at);
    if (r->asked == BATCH_AUTO && is_json_object(r->trimmed)) {
        err_set(&p->why, ERR_INVALID,
                "it is an object, and the file begins with plain text; --format text takes it as "
                "a prompt, too");
        return bad_at(p, 1);
    }
    return of_prompt(r, r->line, (struct str){0}, out, p);
}

/* --- rows for a template ------------------------------------------------- */

static bool of_json_row(struct rows *r, struct row *out, struct batch_problem *p)
{
    struct filled filled;

    return of_object(r, out, p) &&
           template_rows_of_object(r->template, &out->look, r->line.n, &filled, p) &&
           of_prompt(r, filled.prompt, filled.custom_id, out, p);
}

static bool of_csv(struct rows *r, struct row *out, struct batch_problem *p)
{
    struct filled filled;

    return template_rows_of_record(r->template, &r->record, &filled, p) &&
           of_prompt(r, filled.prompt, filled.custom_id, out, p);
}

/* --- what comes next ----------------------------------------------------- */

static enum err_code choose_form(struct rows *r, struct err *err)
{
    struct str first;

    r->form = r->asked;
    if (r->asked == BATCH_AUTO) {
        if (reader_peek(&r->reader, &first, err) != ERR_OK)
            return err->code;
        bool json = first.n > 0 && (first.p[0] == '{' || (first.p[0] == '[' && !r->template));
        r->form = json ? BATCH_JSONL : r->template ? BATCH_CSV : BATCH_TEXT;
    }
    return ERR_OK;
}

/* Without a header nothing else can be told. */
static enum err_code read_header(struct rows *r, struct err *err)
{
    struct csv_record header;
    struct csv_fault fault;
    enum reader_step read;

    r->header_read = true;
    if (reader_record(&r->reader, &read, &header, &fault, err) != ERR_OK)
        return err->code;
    if (read == READER_FAULT)
        return err_set(err, ERR_INVALID, "%s:%lld:%lld: the header is no CSV: %s",
                       source_name(r->source), (long long)fault.line, (long long)fault.column,
                       fault.why);
    if (read == READER_TOO_LONG)
        return err_set(err, ERR_INVALID, "%s:1: the header is over %d bytes",
                       source_name(r->source), READER_MAX_BYTES);
    return read == READER_END ? ERR_OK
                              : template_rows_header(r->template, &header, source_name(r->source),
                                                     r->reader.line, err);
}

static void too_long(struct batch_problem *p, const char *more)
{
    err_set(&p->why, ERR_TOO_BIG, "it is over %d bytes%s", READER_MAX_BYTES, more);
}

static enum err_code fetch_record(struct rows *r, enum reader_step *read, struct batch_problem *p,
                                  struct err *err)
{
    struct csv_fault fault;

    if (!r->header_read && read_header(r, err) != ERR_OK)
        return err->code;
    if (reader_record(&r->reader, read, &r->record, &fault, err) != ERR_OK)
        return err->code;
    p->line = r->reader.line;
    if (*read == READER_FAULT) {
        p->line = fault.line;
        p->column = fault.column;
        err_set(&p->why, ERR_INVALID, "CSV: %s", fault.why);
    } else if (*read == READER_TOO_LONG) {
        too_long(p, "; a quote may not be closed");
    }
    return ERR_OK;
}

/* As most lines are. */
static bool is_trim(struct str line)
{
    return line.n > 0 && (unsigned char)line.p[0] > ' ' && (unsigned char)line.p[line.n - 1] > ' ';
}

static enum err_code fetch_line(struct rows *r, enum reader_step *read, struct batch_problem *p,
                                struct err *err)
{
    do {
        if (reader_line(&r->reader, read, &r->line, err) != ERR_OK)
            return err->code;
        if (*read == READER_GIVEN)
            r->trimmed = is_trim(r->line) ? r->line : str_trim(r->line);
    } while (*read == READER_GIVEN && r->trimmed.n == 0);
    p->line = r->reader.line;
    if (*read == READER_TOO_LONG)
        too_long(p, "");
    return ERR_OK;
}

enum err_code rows_fetch(struct rows *r, enum row_step *step, struct batch_problem *p,
                         struct err *err)
{
    enum reader_step read;

    p->column = 0;
    p->pointer[0] = '\0';
    p->why.code = ERR_OK;
    if (r->form == BATCH_AUTO && choose_form(r, err) != ERR_OK)
        return err->code;
    if ((r->form == BATCH_CSV ? fetch_record(r, &read, p, err) : fetch_line(r, &read, p, err)) !=
        ERR_OK)
        return err->code;
    *step = read == READER_GIVEN ? ROW_GIVEN : read == READER_END ? ROW_END : ROW_BAD;
    return ERR_OK;
}

size_t rows_lines_ahead(const struct rows *r, struct str *out, size_t max)
{
    return r->form == BATCH_JSONL && !r->template ? reader_lines(&r->reader, out, max) : 0;
}

int64_t rows_line(const struct rows *r)
{
    return r->reader.line;
}

struct str rows_text(const struct rows *r)
{
    return r->trimmed;
}

bool rows_read(struct rows *r, struct row *out, struct batch_problem *p)
{
    out->of_params = out->max_tokens = out->as_is = false;
    if (r->form == BATCH_CSV)
        return of_csv(r, out, p);
    if (r->form == BATCH_TEXT)
        return of_text(r, out, p);
    return r->template ? of_json_row(r, out, p) : of_request(r, out, p);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/csv.h"

#include <string.h>

#include "common/banned.h"

struct reader {
    char *p, *end;
    const char *line; /* where the line that p is on begins */
    bool last;
    struct csv_record *out;
    struct csv_fault *fault;
};

enum field_step { FIELD_NEXT, FIELD_LAST, FIELD_MORE, FIELD_BAD };

static enum field_step bad(struct reader *r, const char *at, const char *why)
{
    r->fault->line = r->out->lines;
    r->fault->column = at - r->line + 1;
    r->fault->why = why;
    return FIELD_BAD;
}

static void next_line(struct reader *r)
{
    r->out->lines++;
    r->line = r->p;
}

/* What stands behind a field: a comma, or the record's end. */
static enum field_step behind(struct reader *r)
{
    if (r->p == r->end) {
        if (!r->last)
            return FIELD_MORE;
        r->out->lines++;
        return FIELD_LAST;
    }
    if (*r->p == ',') {
        r->p++;
        return FIELD_NEXT;
    }
    if (*r->p == '\r') {
        if (r->p + 1 == r->end && !r->last)
            return FIELD_MORE;
        if (r->p + 1 < r->end && r->p[1] != '\n')
            return bad(r, r->p, "a carriage return without a newline");
        r->p++;
    }
    if (r->p < r->end && *r->p != '\n')
        return bad(r, r->p, "text behind the closing quote of a field");
    r->p += r->p < r->end;
    next_line(r);
    return FIELD_LAST;
}

/* From the opening quote on; decoded when all of it is there, so that it can be read again. */
static enum field_step quoted(struct reader *r, struct str *field, bool *doubled)
{
    const char *open = r->p++, *open_line = r->line;
    int64_t open_lines = r->out->lines;

    field->p = r->p;
    for (; r->p < r->end; r->p++) {
        if (*r->p == '\n') {
            r->out->lines++;
            r->line = r->p + 1;
        } else if (*r->p == '"') {
            if (r->p + 1 == r->end && !r->last)
                return FIELD_MORE;
            if (r->p + 1 == r->end || r->p[1] != '"')
                break;
            *doubled = true;
            r->p++;
        }
    }
    if (r->p == r->end && !r->last)
        return FIELD_MORE;
    if (r->p == r->end) {
        r->out->lines = open_lines;
        r->line = open_line;
        return bad(r, open, "a quote is opened and never closed");
    }
    field->n = (size_t)(r->p++ - field->p);
    return behind(r);
}

static enum field_step bare(struct reader *r, struct str *field)
{
    field->p = r->p;
    while (r->p < r->end && *r->p != ',' && *r->p != '\n' && *r->p != '\r') {
        if (*r->p == '"')
            return bad(r, r->p, "a quote inside of a field that does not begin with one");
        r->p++;
    }
    field->n = (size_t)(r->p - field->p);
    return behind(r);
}

static void undouble(struct str *field, char *base)
{
    char *to = base;

    for (size_t i = 0; i < field->n; i++) {
        *to++ = base[i];
        i += base[i] == '"';
    }
    field->n = (size_t)(to - base);
}

/* To behind the line with the fault, when all of it is there. */
static enum csv_step skip_line(struct reader *r, const char *text, size_t *used)
{
    char *stop = memchr(r->p, '\n', (size_t)(r->end - r->p));

    if (!stop && !r->last)
        return CSV_MORE;
    *used = (size_t)((stop ? stop + 1 : r->end) - text);
    return CSV_FAULT;
}

enum csv_step csv_read(char *text, size_t n, bool last, struct csv_record *out, size_t *used,
                       struct csv_fault *fault)
{
    struct reader r = {
        .p = text, .end = text + n, .line = text, .last = last, .out = out, .fault = fault};
    bool doubled[CSV_FIELDS_MAX];
    enum field_step step = FIELD_NEXT;

    out->n = 0;
    out->lines = 0;
    out->blank = false;
    while (step == FIELD_NEXT) {
        if (out->n == CSV_FIELDS_MAX) {
            step = bad(&r, r.p, "there are over 256 fields");
            break;
        }
        struct str *field = &out->fields[out->n];
        doubled[out->n] = false;
        step = r.p < r.end && *r.p == '"' ? quoted(&r, field, &doubled[out->n]) : bare(&r, field);
        out->n++;
    }
    if (step == FIELD_MORE)
        return CSV_MORE;
    if (step == FIELD_BAD)
        return skip_line(&r, text, used);
    *used = (size_t)(r.p - text);
    for (size_t i = 0; i < out->n; i++)
        if (doubled[i])
            undouble(&out->fields[i], text + (out->fields[i].p - text));
    out->blank = out->n == 1 && out->fields[0].n == 0 && text[0] != '"';
    if (out->blank)
        out->n = 0;
    return CSV_RECORD;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void reader_init(struct reader *r, struct source *source)
{
    *r = (struct reader){.source = source, .next_line = 1};
}

void reader_release(struct reader *r)
{
    free(r->buffer);
    *r = (struct reader){0};
}

enum err_code reader_rewind(struct reader *r, struct err *err)
{
    r->at = r->end = r->seen = 0;
    r->line = 0;
    r->next_line = 1;
    r->ended = r->begun = false;
    return source_rewind(r->source, err);
}

/* More bytes behind r->end, those before r->at dropped. The buffer is as long as one line needs. */
static enum err_code more(struct reader *r, struct err *err)
{
    size_t n = 0;

    if (r->at > 0) {
        if (r->end > r->at)
            memmove(r->buffer, r->buffer + r->at, r->end - r->at);
        r->end -= r->at;
        r->seen -= r->at;
        r->at = 0;
    }
    if (r->room - r->end < READER_CHUNK) {
        size_t room = r->room ? 2 * r->room : 2 * READER_CHUNK;
        char *bigger = realloc(r->buffer, room);

        if (!bigger)
            return err_set(err, ERR_NOMEM, "cannot read '%s'", source_name(r->source));
        r->buffer = bigger;
        r->room = room;
    }
    if (source_read(r->source, r->buffer + r->end, READER_CHUNK, &n, err) != ERR_OK)
        return err->code;
    r->end += n;
    r->ended = n == 0;
    return ERR_OK;
}

static enum err_code begin(struct reader *r, struct err *err)
{
    if (r->begun)
        return ERR_OK;
    while (r->end < 3 && !r->ended)
        if (more(r, err) != ERR_OK)
            return err->code;
    r->begun = true;
    if (r->end >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0)
        r->at = r->seen = 3;
    return ERR_OK;
}

enum err_code reader_peek(struct reader *r, struct str *out, struct err *err)
{
    *out = (struct str){0};
    if (begin(r, err) != ERR_OK)
        return err->code;
    for (;;) {
        *out = str_trim((struct str){r->buffer + r->at, r->end - r->at});
        if (out->n > 0 || r->ended || r->end - r->at > READER_MAX_BYTES)
            return ERR_OK;
        if (more(r, err) != ERR_OK)
            return err->code;
    }
}

/* The newline that ends the line at r->at; NULL: it is not in the buffer. */
static char *newline(struct reader *r)
{
    char *found = r->end > r->seen ? memchr(r->buffer + r->seen, '\n', r->end - r->seen) : NULL;

    r->seen = r->end;
    return found;
}

static void give(struct reader *r, size_t behind, int64_t lines)
{
    r->line = r->next_line;
    r->next_line += lines;
    r->at = r->seen = behind;
}

/* Nothing of a line that is too long is kept. */
static enum err_code skip_line(struct reader *r, struct err *err)
{
    char *stop;

    while (!(stop = newline(r)) && !r->ended) {
        r->at = r->seen = r->end;
        if (more(r, err) != ERR_OK)
            return err->code;
    }
    give(r, stop ? (size_t)(stop + 1 - r->buffer) : r->end, 1);
    return ERR_OK;
}

enum err_code reader_line(struct reader *r, enum reader_step *step, struct str *out,
                          struct err *err)
{
    char *stop;

    *step = READER_END;
    if (begin(r, err) != ERR_OK)
        return err->code;
    while (!(stop = newline(r)) && !r->ended) {
        if (r->end - r->at > READER_MAX_BYTES) {
            *step = READER_TOO_LONG;
            return skip_line(r, err);
        }
        if (more(r, err) != ERR_OK)
            return err->code;
    }
    if (!stop && r->at == r->end)
        return ERR_OK;
    *out = (struct str){r->buffer + r->at, (stop ? (size_t)(stop - r->buffer) : r->end) - r->at};
    out->n -= out->n > 0 && out->p[out->n - 1] == '\r';
    give(r, stop ? (size_t)(stop + 1 - r->buffer) : r->end, 1);
    *step = READER_GIVEN;
    return ERR_OK;
}

size_t reader_lines(const struct reader *r, struct str *out, size_t max)
{
    const char *p = r->buffer + r->at, *end = r->buffer + r->end, *stop;
    size_t n = 0;

    for (; n < max && p < end && (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1)
        out[n++] = (struct str){p, (size_t)(stop - p)};
    return n;
}

enum err_code reader_record(struct reader *r, enum reader_step *step, struct csv_record *out,
                            struct csv_fault *fault, struct err *err)
{
    *step = READER_END;
    if (begin(r, err) != ERR_OK)
        return err->code;
    for (;;) {
        size_t used = 0;
        enum csv_step got = CSV_MORE;

        if (r->at == r->end && r->ended)
            return ERR_OK;
        if (r->end > r->at)
            got = csv_read(r->buffer + r->at, r->end - r->at, r->ended, out, &used, fault);
        if (got == CSV_MORE && r->end - r->at > READER_MAX_BYTES) {
            *step = READER_TOO_LONG;
            return skip_line(r, err);
        }
        if (got == CSV_MORE) {
            if (more(r, err) != ERR_OK)
                return err->code;
            continue;
        }
        if (got == CSV_FAULT)
            fault->line += r->next_line;
        give(r, r->at + used, got == CSV_RECORD ? out->lines : fault->line - r->next_line + 1);
        if (got == CSV_RECORD && out->blank)
            continue;
        *step = got == CSV_RECORD ? READER_GIVEN : READER_FAULT;
        return ERR_OK;
    }
}

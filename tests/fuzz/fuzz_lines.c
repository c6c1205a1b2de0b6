/* SPDX-License-Identifier: Apache-2.0 */
/* Property: however a stream is cut into pieces, the lines, numbers and offsets are the
 * same. The first byte of the input is the piece size. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/capture/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 32 };

static uint64_t mix(uint64_t h, const struct line *line)
{
    for (size_t i = 0; i < line->len; i++)
        h = (h ^ (uint8_t)line->text[i]) * 1099511628211u;
    h = (h ^ (uint64_t)line->n) * 1099511628211u;
    h = (h ^ (uint64_t)line->end_offset) * 1099511628211u;
    h = (h ^ (uint64_t)line->true_bytes) * 1099511628211u;
    return (h ^ line->unterminated) * 1099511628211u;
}

static uint64_t run(const char *p, size_t n, size_t step)
{
    uint64_t h = 14695981039346656037u;
    struct lines l;
    struct line line;

    lines_init(&l, MAX, 0, 0);
    for (size_t at = 0; at < n; at += step) {
        struct str piece = {p + at, n - at < step ? n - at : step};

        while (lines_next(&l, &piece, &line) == LINES_LINE)
            h = mix(h, &line);
        assert(piece.n == 0);
    }
    if (lines_end(&l, &line) == LINES_LINE)
        h = mix(h, &line);
    assert(l.offset == (int64_t)n);
    h ^= (uint64_t)l.blank;
    lines_release(&l);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? data[0] % 64u + 1 : 1;
    const char *p = (const char *)data + (size > 0);
    size_t n = size - (size > 0);

    assert(run(p, n, step) == run(p, n, n + 1));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/sse_out.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

/* A line ends at CR, LF or both. */
static size_t line_end(struct str s)
{
    const char *lf = s.n ? memchr(s.p, '\n', s.n) : NULL;
    size_t n = lf ? (size_t)(lf - s.p) : s.n;
    const char *cr = n ? memchr(s.p, '\r', n) : NULL;

    return cr ? (size_t)(cr - s.p) : n;
}

static void put_data(struct buf *out, struct str data)
{
    for (;;) {
        size_t n = line_end(data);

        buf_adds(out, "data: ");
        buf_add(out, data.p, n);
        buf_addc(out, '\n');
        if (n == data.n)
            return;
        n += data.p[n] == '\r' && n + 1 < data.n && data.p[n + 1] == '\n' ? 2 : 1;
        data = (struct str){data.p + n, data.n - n};
    }
}

static void put_id(struct buf *out, int64_t id)
{
    if (id > 0)
        buf_addf(out, "id: %" PRId64 "\n", id);
}

void sse_out_message_begin(struct buf *out, int64_t id)
{
    put_id(out, id);
    buf_adds(out, "data: ");
}

void sse_out_message_end(struct buf *out)
{
    buf_adds(out, "\n\n");
}

void sse_out_message(struct buf *out, int64_t id, const char *name, struct str data)
{
    put_id(out, id);
    if (name)
        buf_addf(out, "event: %s\n", name);
    put_data(out, data);
    buf_addc(out, '\n');
}

void sse_out_comment(struct buf *out, const char *text)
{
    buf_addf(out, ": %s\n\n", text);
}

void sse_out_retry(struct buf *out, int64_t ms)
{
    buf_addf(out, "retry: %" PRId64 "\n\n", ms);
}

bool sse_out_read_id(struct str header, int64_t *id)
{
    return str_int(str_trim(header), INT64_MAX, id);
}

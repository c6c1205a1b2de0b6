/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a stream of server-sent events gives the messages that the standard says, however it is
 * cut into pieces, and holds no more than its ceiling. Proof: streams as rows, each cut at every
 * place and byte for byte. */
#include <string.h>

#include "producer/api/sse.h"
#include "tests/lib/table.h"

enum { MAX = 64 };

static struct row {
    const char *name, *stream, *want; /* want: event#id=data; each */
} rows[] = {
    {"one", "data: a\n\n", "message#=a;"},
    {"as ours are", "id: 7\ndata: {\"x\":1}\n\n: still here\n\nevent: end\ndata: {}\n\n",
     "message#7={\"x\":1};end#7={};"},
    {"CR LF", "id: 1\r\ndata: a\r\n\r\ndata: b\r\n\r\n", "message#1=a;message#1=b;"},
    {"CR", "data: a\r\rdata: b\r\r", "message#=a;message#=b;"},
    {"CR LF and LF", "data: a\r\n\ndata: b\n\n", "message#=a;message#=b;"},
    {"several lines", "data: a\ndata:\ndata: b\n\n", "message#=a\n\nb;"},
    {"no space", "data:a\n\n", "message#=a;"},
    {"two spaces", "data:  a\n\n", "message#= a;"},
    {"no colon", "data\n\n", "message#=;"},
    {"no data, no message", "event: x\nid: 3\n\ndata: a\n\n", "message#3=a;"},
    {"an unknown field", "foo: bar\ndata: a\n\n", "message#=a;"},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     "message#=a;"},
    {"only the first one",
     "\n\xef\xbb\xbf"
     "data: a\n\n",
     ""},
    {"what is cut is not told", "data: a\n\ndata: b\n", "message#=a;"},
    {"an empty id", "id: 1\ndata: a\n\nid\ndata: b\n\n", "message#1=a;message#=b;"},
    {"retry", "retry: 1500\nretry: x\n\n", "retry 1500;"},
    {"too much",
     "data: 0123456789012345678901234567890123456789\n"
     "data: 0123456789012345678901234567890123456789\n\n",
     "full;"},
    {"too long a line",
     ": 0123456789012345678901234567890123456789012345678901234567890123456789\n\n", "full;"},
};

static void feed(struct sse *s, struct str piece, struct buf *got)
{
    struct sse_message m;

    for (;;)
        switch (sse_next(s, &piece, &m)) {
        case SSE_MORE:
            assert_int_equal(piece.n, 0);
            return;
        case SSE_MESSAGE:
            buf_addf(got, "%s#%s=" STR_FMT ";", m.event, m.id, STR_ARG(m.data));
            break;
        case SSE_FULL:
            if (!strstr(got->p ? got->p : "", "full;"))
                buf_adds(got, "full;");
            return;
        }
}

static void play(const struct row *row, size_t cut, size_t step)
{
    struct str all = str_of(row->stream);
    struct sse s;
    AUTO_BUF got = BUF_INIT(4096);

    sse_init(&s, MAX);
    feed(&s, (struct str){all.p, cut}, &got);
    for (size_t at = cut; at < all.n; at += step)
        feed(&s, (struct str){all.p + at, all.n - at < step ? all.n - at : step}, &got);
    if (s.retry_ms >= 0)
        buf_addf(&got, "retry %lld;", (long long)s.retry_ms);
    assert_string_equal(got.p ? got.p : "", row->want);
    sse_release(&s);
}

static void check(void **state)
{
    const struct row *row = *state;
    size_t n = strlen(row->stream);

    for (size_t cut = 0; cut <= n; cut++)
        play(row, cut, n + 1);
    play(row, 0, 1);
}

static struct row restart_rows[] = {
    {"a new connection", "id: 4\ndata: a\n\nid: 5\ndata: half", "message#4=a;message#5=b;"}};

static void check_restart(void **state)
{
    const struct row *row = *state;
    struct sse s;
    AUTO_BUF got = BUF_INIT(4096);

    sse_init(&s, MAX);
    feed(&s, str_of(row->stream), &got);
    sse_restart(&s);
    feed(&s, STR("data: b\n\n"), &got);
    assert_string_equal(got.p, row->want);
    sse_release(&s);
}

int main(void)
{
    return TABLE_RUN("sse", rows, check) + TABLE_RUN("restart", restart_rows, check_restart);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: however a body is cut into pieces, its frames and its breaking point are the
 * same; reading a frame's message never fails otherwise than by an error; the short way to read
 * a usual message comes to the same as the long one. The first byte of the input is the piece
 * size. */
#include <assert.h>
#include <stdint.h>

#include "common/base64.h"
#include "worker/e2b/connect_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mix(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
    return (h ^ s.n) * 1099511628211u;
}

/* A space in front is JSON as well, but not usual. */
static void compare_ways(struct str message)
{
    struct process_event shortly, at_length;
    AUTO_BUF spaced = BUF_INIT(CONNECT_FRAME_MAX_BYTES + 1),
             bytes = BUF_INIT(CONNECT_FRAME_MAX_BYTES);
    enum err_code a, b;

    buf_addc(&spaced, ' ');
    buf_addstr(&spaced, message);
    a = process_event_parse(message, &shortly, NULL);
    b = process_event_parse(buf_str(&spaced), &at_length, NULL);
    if (b == ERR_OK)
        assert(a == ERR_OK && shortly.kind == at_length.kind && shortly.pid == at_length.pid &&
               shortly.exit_code == at_length.exit_code &&
               str_eq(shortly.base64, at_length.base64));
    else if (a == ERR_OK)
        assert(base64_decode(shortly.base64, &bytes, NULL) != ERR_OK);
}

static uint64_t read_frame(uint64_t h, const struct connect_frame *f)
{
    struct process_event event;
    struct connect_failure end;
    struct err err;

    h = mix(h ^ f->flags, f->message);
    compare_ways(f->message);
    if (process_event_parse(f->message, &event, &err) == ERR_OK)
        h = mix(h ^ event.kind, event.base64);
    if (connect_end_parse(f->message, &end, &err) == ERR_OK)
        h = mix(h, str_of(end.code));
    return h;
}

static uint64_t run(const char *p, size_t n, size_t step)
{
    struct connect_reader r = CONNECT_READER_INIT;
    uint64_t h = 14695981039346656037u;
    enum connect_step got = CONNECT_MORE;

    for (size_t at = 0; at < n && got != CONNECT_BROKEN; at += step) {
        struct str piece = {p + at, n - at < step ? n - at : step};
        struct connect_frame f;
        struct err err;

        while ((got = connect_next(&r, &piece, &f, &err)) == CONNECT_FRAME)
            h = read_frame(h, &f);
    }
    connect_reader_release(&r);
    return h ^ got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? data[0] % 64u + 1 : 1;
    const char *p = (const char *)data + (size > 0);
    size_t n = size - (size > 0);

    assert(run(p, n, step) == run(p, n, n + 1));
    return 0;
}

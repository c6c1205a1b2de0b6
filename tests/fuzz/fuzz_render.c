/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever events say, and in whatever order, what is written holds no control
 * character but our own and is UTF-8. A line of the input is an event: a letter for its type,
 * then its data. The first byte chooses the form. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/show/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ESC [ digits ; m, or A, or J. */
static size_t ours(const char *p, const char *end)
{
    const char *q = p + 2;

    assert(end - p >= 3 && p[1] == '[');
    while (q < end && ((*q >= '0' && *q <= '9') || *q == ';'))
        q++;
    assert(q < end && (*q == 'm' || *q == 'A' || *q == 'J'));
    return (size_t)(q + 1 - p);
}

static void check(struct str out, bool ours_too)
{
    assert(str_utf8(out, NULL));
    for (const char *p = out.p, *end = out.p + out.n; p < end; p++) {
        if (ours_too && *p == '\033')
            p += ours(p, end) - 1;
        else if (ours_too && *p == '\r')
            assert(p + 1 < end && p[1] == '\033');
        else
            assert((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data + (size > 0), size - (size > 0)}, line;
    unsigned form = size > 0 ? data[0] : 0;
    struct render r = {.colour = form & 1,
                       .unicode = form & 2,
                       .live = form & 4,
                       .full = form & 8,
                       .columns = form & 16 ? 80 : 0,
                       .rows = 10};
    AUTO_BUF out = BUF_INIT(16 << 20);

    while (rest.n && str_next(&rest, '\n', &line)) {
        unsigned type = line.n ? (unsigned char)line.p[0] % (EVENT_TYPES + 1) : 0;
        struct event_view v = {
            .event = {.type = type < EVENT_TYPES ? (enum event_type)type : EVENT_AGENT_OTHER,
                      .data = {line.p + (line.n > 0), line.n - (line.n > 0)}},
            .type_text = STR("x.y"),
            .known_type = type < EVENT_TYPES};

        render_event(&r, &v, &out);
        render_tick(&r, r.now_ms + 900, &out);
    }
    render_settle(&r, &out);
    render_release(&r);
    if (out.rc == ERR_OK)
        check(buf_str(&out), r.colour || r.live);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a message's data is, a reader gets one message with these lines and this id
 * and nothing else; an id that is taken back is the number that it says; the answer to any Accept
 * header is within bounds, and a list of types that is taken holds each of its types. */
#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/live/event_row.h"
#include "api/live/sse_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20 };

/* With all line ends the same. */
static void normalize(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            continue;
        buf_addc(out, s.p[i] == '\r' ? '\n' : s.p[i]);
    }
}

/* What a reader makes of one message; how many there were. */
static int read_back(struct str stream, struct buf *data, int64_t *id)
{
    struct str line;
    int messages = 0;
    bool any = false;

    while (str_next(&stream, '\n', &line)) {
        assert(!memchr(line.p, '\r', line.n));
        if (str_starts(line, "data: ")) {
            if (any)
                buf_addc(data, '\n');
            buf_add(data, line.p + 6, line.n - 6);
            any = true;
        } else if (str_starts(line, "id: ")) {
            assert(sse_out_read_id((struct str){line.p + 4, line.n - 4}, id));
        } else {
            assert(line.n == 0);
            messages += any;
            any = false;
        }
    }
    return messages;
}

static void try_message(struct str s)
{
    AUTO_BUF out = BUF_INIT(8 * ROOM), want = BUF_INIT(ROOM), got = BUF_INIT(ROOM);
    int64_t id = 0;

    sse_out_message(&out, 17, NULL, s);
    normalize(s, &want);
    assert(out.rc == ERR_OK && read_back(buf_str(&out), &got, &id) == 1 && id == 17);
    assert(str_eq(buf_str(&want), buf_str(&got)));
}

static void try_id(struct str s)
{
    char text[32];
    int64_t id = -1;

    if (!sse_out_read_id(s, &id)) {
        assert(id == -1);
        return;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, id);
    for (s = str_trim(s); s.n && *s.p == '0';)
        s = (struct str){s.p + 1, s.n - 1};
    assert(id == 0 || str_starts(s, text));
}

static void try_types(const char *text)
{
    AUTO_BUF like = BUF_INIT(2 * EVENT_TYPES_ROOM);
    struct str rest = str_of(text), one;

    if (strlen(text) >= EVENT_TYPES_ROOM || !event_types_ok(rest))
        return;
    event_types_like(text, &like);
    assert(like.rc == ERR_OK);
    while (str_next(&rest, ',', &one)) {
        char *name = str_dup((struct str){one.p, one.n - (one.p[one.n - 1] == '*')});

        assert(!name || event_types_match(text, name));
        free(name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    char *text = str_dup(s);

    if (!text || size > ROOM)
        return 0;
    int q = accept_quality(text, "application/json");
    assert(q >= 0 && q <= 1000);
    try_message(s);
    try_id(s);
    try_types(text);
    free(text);
    return 0;
}

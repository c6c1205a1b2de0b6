/* SPDX-License-Identifier: Apache-2.0 */
/* Property: however a stream is cut into pieces, its messages are the same, and nothing over the
 * ceiling is held. The first byte of the input is the piece size. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/api/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 48 };

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 1099511628211u;
    return (h ^ n) * 1099511628211u;
}

static uint64_t run(const char *p, size_t n, size_t step)
{
    uint64_t h = 14695981039346656037u;
    struct sse s;
    struct sse_message m;
    enum sse_step now = SSE_MORE;

    sse_init(&s, MAX);
    for (size_t at = 0; at < n && now != SSE_FULL; at += step) {
        struct str piece = {p + at, n - at < step ? n - at : step};

        while ((now = sse_next(&s, &piece, &m)) == SSE_MESSAGE) {
            assert(m.data.n <= MAX && strlen(m.event) < SSE_NAME && strlen(m.id) < SSE_NAME);
            h = mix(h, m.data.p, m.data.n);
            h = mix(h, m.event, strlen(m.event));
            h = mix(h, m.id, strlen(m.id));
        }
    }
    h = mix(h, &now, sizeof(now));
    sse_release(&s);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? data[0] % 32u + 1 : 1;
    const char *p = (const char *)data + (size > 0);
    size_t n = size - (size > 0);

    assert(run(p, n, step) == run(p, n, n + 1));
    return 0;
}

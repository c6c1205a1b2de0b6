/* SPDX-License-Identifier: Apache-2.0 */
/* Property: however a CSV text is cut in two, the records are the same; and records that are
 * written as RFC 4180 says and read again are the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "producer/batch/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_record(struct buf *out, const struct csv_record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        buf_adds(out, i ? ",\"" : "\"");
        for (size_t k = 0; k < r->fields[i].n; k++) {
            buf_addc(out, r->fields[i].p[k]);
            if (r->fields[i].p[k] == '"')
                buf_addc(out, '"');
        }
        buf_addc(out, '"');
    }
    if (r->n > 0)
        buf_addc(out, '\n');
}

/* All records, quoted; faults as "!line:column". A copy is read: fields are decoded in place. */
static void read_all(const char *from, size_t n, size_t first, struct buf *out)
{
    static struct csv_record r;
    struct csv_fault fault;
    char *text = malloc(n + 1);
    size_t at = 0, end = first < n ? first : n, used = 0;
    int64_t line = 0;

    assert(text);
    memcpy(text, from, n);
    for (;;) {
        enum csv_step step =
            at < end ? csv_read(text + at, end - at, end == n, &r, &used, &fault) : CSV_MORE;
        if (step == CSV_MORE && end == n)
            break;
        if (step == CSV_MORE) {
            end = n;
            continue;
        }
        assert(used > 0 && used <= end - at);
        at += used;
        if (step == CSV_FAULT) {
            assert(fault.why && fault.column > 0 && fault.line >= 0);
            buf_addf(out, "!%lld:%lld\n", (long long)(line + fault.line), (long long)fault.column);
            line += fault.line + 1;
        } else {
            assert(r.lines > 0 && (r.n > 0 || r.blank));
            line += r.lines;
            put_record(out, &r);
        }
    }
    assert(at == n);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    AUTO_BUF whole = BUF_INIT(64 << 20);

    read_all(text, size, size, &whole);
    for (size_t cut = 0; cut < size && cut < 64; cut++) {
        AUTO_BUF parts = BUF_INIT(64 << 20);

        read_all(text, size, cut, &parts);
        assert(str_eq(buf_str(&whole), buf_str(&parts)));
    }
    if (whole.len > 0 && !memchr(whole.p, '!', whole.len)) {
        AUTO_BUF again = BUF_INIT(64 << 20);

        read_all(whole.p, whole.len, whole.len, &again);
        assert(str_eq(buf_str(&whole), buf_str(&again)));
    }
    return 0;
}

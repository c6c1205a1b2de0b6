/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a head that is read and written as a proxy's request again is read the same way, and
 * what is written has one head only, with the rule's value alone. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sandboxd/egress/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct egress_header add[] = {{"Authorization", "rule"}};
    struct str s = {(const char *)data, size};
    struct egress_head h, again;
    AUTO_BUF out = BUF_INIT(2 * EGRESS_HEAD_MAX);

    if (egress_head_parse(s, &h) != EGRESS_HEAD)
        return 0;
    assert(h.bytes <= size && h.port > 0 && h.port <= 65535 && h.host.n > 0);
    if (h.connect)
        return 0;
    egress_head_write(&h, add, 1, &out);
    assert(out.rc == ERR_OK);
    const char *end = memmem(out.p, out.len, "\r\n\r\n", 4);
    assert(end != NULL && end + 4 == out.p + out.len);
    const char *value = strcasestr(out.p, "\r\nauthorization");
    assert(value != NULL);

    AUTO_BUF proxy = BUF_INIT(4 * EGRESS_HEAD_MAX);
    const char *path = strchr(out.p, ' ') + 1;
    buf_addf(&proxy, STR_FMT " http://", STR_ARG(h.method));
    buf_addf(&proxy, h.bracketed ? "[" STR_FMT "]:%d%s" : STR_FMT ":%d%s", STR_ARG(h.host), h.port,
             path);
    assert(proxy.rc == ERR_OK);
    if (proxy.len <= EGRESS_HEAD_MAX) {
        assert(egress_head_parse(buf_str(&proxy), &again) == EGRESS_HEAD);
        assert(again.port == h.port && str_eq(again.host, h.host) && str_eq(again.path, h.path));
    }
    return 0;
}

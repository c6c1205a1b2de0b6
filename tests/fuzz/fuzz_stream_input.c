/* SPDX-License-Identifier: Apache-2.0 */
/* Property: the body of a StreamInput has the same messages, the same bytes for the process and
 * the same refusal, however it is cut into pieces; nothing is read outside of it. The first byte
 * says whether compression was announced. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/envd/process_message.h"

enum { ROOM = 256 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one message does, appended to `seen`; false: refused. */
static bool take(const struct rpc_envelope *e, bool gzip, struct buf *seen)
{
    AUTO_BUF room = BUF_INIT(ROOM);
    AUTO_JSON *m = NULL;
    struct input in = {.bytes = BUF_INIT(INPUT_MAX)};
    struct selector who;
    const cJSON *body;
    enum rpc_code code = RPC_CODES;
    struct err err = ERR_INIT;
    struct str text;

    if (rpc_message(e, gzip, &room, &text, &err) != ERR_OK ||
        json_parse(text, 0, &m, &err) != ERR_OK) {
        assert(err.msg[0] != '\0');
        return false;
    }
    enum input_event what = input_event(m, &body);
    buf_addf(seen, "%d ", (int)what);
    if (what == INPUT_START && selector_read(body, &who))
        buf_addf(seen, "%lld ", (long long)who.pid);
    bool ok = what != INPUT_DATA || input_read(body, &in, &code, &err) == ERR_OK;
    assert(ok || (code != RPC_CODES && err.msg[0] != '\0'));
    buf_addstr(seen, buf_str(&in.bytes));
    buf_release(&in.bytes);
    return ok && what != INPUT_OTHER;
}

static enum err_code feed(struct str body, size_t bite, bool gzip, struct buf *seen)
{
    AUTO_BUF kept = BUF_INIT(1 << 20);
    struct rpc_envelope e;
    bool whole = true;

    while (body.n > 0) {
        size_t n = body.n < bite ? body.n : bite;

        buf_add(&kept, body.p, n);
        body = (struct str){body.p + n, body.n - n};
        char *exact = malloc(kept.len); /* a read behind it is seen by ASan */
        assert(exact != NULL && kept.rc == ERR_OK);
        memcpy(exact, kept.p, kept.len);
        struct str rest = {exact, kept.len};
        enum err_code rc = ERR_OK;
        bool ok = true;
        do {
            rc = rpc_next(&rest, &e, &whole, NULL);
            ok = rc == ERR_OK && (!whole || take(&e, gzip, seen));
        } while (ok && whole);
        buf_drop(&kept, kept.len - rest.n);
        free(exact);
        if (!ok)
            return rc != ERR_OK ? rc : ERR_INVALID;
    }
    buf_addf(seen, "left %zu", kept.len);
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF once = BUF_INIT(32 << 20), cut = BUF_INIT(32 << 20);
    bool gzip = size > 0 && (data[0] & 1) != 0;

    if (size < 2)
        return 0;
    struct str body = {(const char *)data + 1, size - 1};
    enum err_code rc = feed(body, SIZE_MAX, gzip, &once);
    assert(feed(body, 1 + data[0] / 2, gzip, &cut) == rc);
    assert(str_eq(buf_str(&once), buf_str(&cut)));
    return 0;
}

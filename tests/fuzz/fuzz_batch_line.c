/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a line of a batch file either is refused with a reason, or makes a request that its
 * own codec writes and reads back as the same work. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/request_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client flags = {.priority = -1};
    struct request_defaults d = {.flags = &flags, .batch_id = "b"};
    struct run_request r = RUN_REQUEST_INIT, again = RUN_REQUEST_INIT;
    struct str line = str_trim((struct str){(const char *)data, size});
    struct err err = ERR_INIT;
    uint8_t a[32], b[32];
    AUTO_BUF text = BUF_INIT(4 << 20);

    if (line.n == 0)
        return 0;
    if (request_from_line(&d, line, &r, &err) != ERR_OK) {
        assert(err.msg[0] != '\0');
        return 0;
    }
    assert(run_request_write(&r, &text, &err) == ERR_OK);
    assert(run_request_parse(buf_str(&text), &again, &err) == ERR_OK);
    run_request_hash(&r, a);
    run_request_hash(&again, b);
    assert(memcmp(a, b, sizeof(a)) == 0);
    run_request_release(&r);
    run_request_release(&again);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a request body either is refused with a reason, or its message is the body behind
 * the head, whole; or what came compressed in it, under its ceiling. */
#include <assert.h>
#include <stdint.h>

#include "sandboxd/envd/connect_rpc.h"

enum { CEILING = 256 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size}, message = {0};
    AUTO_BUF room = BUF_INIT(CEILING);
    struct err err = ERR_INIT;

    for (int gzip = 0; gzip < 2; gzip++) {
        if (rpc_open_request(body, gzip != 0, &room, &message, &err) != ERR_OK)
            assert((err.code == ERR_INVALID || err.code == ERR_TOO_BIG) && err.msg[0] != '\0');
        else if (message.p == body.p + RPC_HEAD_BYTES)
            assert(message.n == size - RPC_HEAD_BYTES);
        else
            assert(gzip && data[0] == 1 && message.n <= CEILING);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a request body either is refused with a reason, or its message is the body behind
 * the head, whole. */
#include <assert.h>
#include <stdint.h>

#include "sandboxd/envd/connect_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size}, message = {0};
    struct err err = ERR_INIT;

    if (rpc_open_request(body, false, NULL, &message, &err) == ERR_OK)
        assert(message.p == body.p + RPC_HEAD_BYTES && message.n == size - RPC_HEAD_BYTES);
    else
        assert(err.code == ERR_INVALID && err.msg[0] != '\0');
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a terminal row that is accepted says the same when it is written and read
 * again, data byte for byte. */
#include <assert.h>
#include <stdint.h>

#include "worker/publish/terminal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event once, again;
    struct err err = ERR_INIT;
    AUTO_BUF text = BUF_INIT(16 << 20);

    if (terminal_read((struct str){(const char *)data, size}, &once, &err) != ERR_OK)
        return 0;
    assert(event_is_terminal(once.type));
    terminal_write(&once, &text);
    assert(terminal_read(buf_str(&text), &again, &err) == ERR_OK);
    assert(again.type == once.type && again.attempt == once.attempt && again.n == once.n &&
           again.epoch == once.epoch && again.time_ms == once.time_ms &&
           str_eq(again.data, once.data));
    return 0;
}

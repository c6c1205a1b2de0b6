/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that clients send to process.Process, read with care. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_MESSAGE_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "sandboxd/envd/connect_rpc.h"

struct selector { /* {"process":{"pid":N}} or {"process":{"tag":"t"}} */
    int64_t pid;
    const char *tag; /* borrowed; NULL: by pid */
};
bool selector_read(const cJSON *m, struct selector *out); /* false: neither */

struct input { /* {"input":{"stdin":"b64"}} or {"input":{"pty":"b64"}} */
    bool pty;
    struct buf bytes;
};
enum { INPUT_MAX = 16 << 20 };
/* Appends to out->bytes. *code and err say what to answer. */
enum err_code input_read(const cJSON *m, struct input *out, enum rpc_code *code,
                         struct err *err) MUST_USE;

/* One message of StreamInput. */
enum input_event { INPUT_START, INPUT_DATA, INPUT_KEEPALIVE, INPUT_OTHER };
enum input_event input_event(const cJSON *m, const cJSON **body); /* body: borrowed */

struct terminal {
    uint16_t cols, rows;
};
/* {"pty":{"size":{"cols":N,"rows":N}}}; false: no pty is asked for. What is missing is 0. */
bool terminal_read(const cJSON *m, struct terminal *out);

/* The two that the protocol knows, by name or number; else 0, and *name is as one says it. */
int signal_read(const cJSON *m, char name[64]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process_message.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/json/json.h"

#include "common/banned.h"

bool selector_read(const cJSON *m, struct selector *out)
{
    const cJSON *selector = json_get(m, "process");

    *out = (struct selector){.tag = json_get_string(selector, "tag")};
    return json_get_int(selector, "pid", &out->pid) || out->tag != NULL;
}

/* Both alphabets, as proto3's JSON has it. */
static enum err_code decode(const char *text, struct buf *out, struct err *err)
{
    AUTO_BUF plain = BUF_INIT(2 * INPUT_MAX);

    if (strpbrk(text, "-_") == NULL)
        return base64_decode(str_of(text), out, err);
    buf_adds(&plain, text);
    for (size_t i = 0; i < plain.len; i++)
        plain.p[i] = plain.p[i] == '-' ? '+' : plain.p[i] == '_' ? '/' : plain.p[i];
    if (plain.rc != ERR_OK)
        return err_set(err, plain.rc, "input: %s", err_meaning(plain.rc));
    return base64_decode(buf_str(&plain), out, err);
}

enum err_code input_read(const cJSON *m, struct input *out, enum rpc_code *code, struct err *err)
{
    const cJSON *input = json_get(m, "input");
    const char *in = json_get_string(input, "stdin"), *pty = json_get_string(input, "pty");

    if (in == NULL && pty == NULL) {
        *code = RPC_UNIMPLEMENTED;
        return err_set(err, ERR_INVALID, "invalid input type: neither stdin nor pty");
    }
    *code = RPC_INVALID_ARGUMENT;
    out->pty = pty != NULL;
    enum err_code rc = decode(out->pty ? pty : in, &out->bytes, err);
    if (rc == ERR_TOO_BIG)
        *code = RPC_RESOURCE_EXHAUSTED;
    return rc;
}

enum input_event input_event(const cJSON *m, const cJSON **body)
{
    static const char *const names[INPUT_OTHER] = {
        [INPUT_START] = "start", [INPUT_DATA] = "data", [INPUT_KEEPALIVE] = "keepalive"};

    for (int e = 0; e < INPUT_OTHER; e++) {
        *body = json_get(m, names[e]);
        if (cJSON_IsObject(*body))
            return (enum input_event)e;
    }
    *body = NULL;
    return INPUT_OTHER;
}

static uint16_t length(const cJSON *size, const char *key)
{
    int64_t n = 0;

    return json_get_int(size, key, &n) && n > 0 && n <= UINT16_MAX ? (uint16_t)n : 0;
}

bool terminal_read(const cJSON *m, struct terminal *out)
{
    const cJSON *pty = json_get(m, "pty"), *size = json_get(pty, "size");

    *out = (struct terminal){.cols = length(size, "cols"), .rows = length(size, "rows")};
    return cJSON_IsObject(pty);
}

int signal_read(const cJSON *m, char name[64])
{
    const char *text = json_get_string(m, "signal");
    int64_t number = 0;

    (void)json_get_int(m, "signal", &number);
    if (number == SIGTERM || (text != NULL && strcmp(text, "SIGNAL_SIGTERM") == 0))
        return SIGTERM;
    if (number == SIGKILL || (text != NULL && strcmp(text, "SIGNAL_SIGKILL") == 0))
        return SIGKILL;
    if (text != NULL || number == 0)
        (void)snprintf(name, 64, "%.63s", text != NULL ? text : "SIGNAL_UNSPECIFIED");
    else
        (void)snprintf(name, 64, "%lld", (long long)number);
    return 0;
}

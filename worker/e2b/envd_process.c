/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that name a process. */
#include "worker/e2b/envd_internal.h"

#include "common/base64.h"
#include "common/json/json.h"

#include "common/banned.h"

enum { INPUT_JSON_MAX_BYTES = ENVD_INPUT_MAX_BYTES / 3 * 4 + 1024 };

static void put_pid(struct buf *json, int64_t pid)
{
    buf_adds(json, "{\"process\":{");
    json_kv_int(json, "pid", pid);
    buf_addc(json, '}');
}

enum err_code envd_list(struct envd *d, envd_fn fn, void *ctx, struct envd_call **out,
                        struct err *err)
{
    return envd_rpc(d, "process.Process/List", STR("{}"), fn, ctx, out, err);
}

enum err_code envd_signal(struct envd *d, int64_t pid, enum envd_signal signal, envd_fn fn,
                          void *ctx, struct envd_call **out, struct err *err)
{
    static const char *const names[] = {
        [ENVD_TERM] = "SIGNAL_SIGTERM", [ENVD_KILL] = "SIGNAL_SIGKILL"};
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_pid(&json, pid);
    json_kv(&json, "signal", names[signal]);
    buf_addc(&json, '}');
    return envd_rpc_buf(d, "process.Process/SendSignal", &json, fn, ctx, out, err);
}

enum err_code envd_send_input(struct envd *d, int64_t pid, enum envd_input to, struct str bytes,
                              envd_fn fn, void *ctx, struct envd_call **out, struct err *err)
{
    static const char *const names[] = {[ENVD_STDIN] = "stdin", [ENVD_PTY] = "pty"};
    AUTO_BUF json = BUF_INIT(INPUT_JSON_MAX_BYTES);

    if (bytes.n > ENVD_INPUT_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "input of %zu bytes to a process", bytes.n);
    put_pid(&json, pid);
    json_key(&json, "input");
    buf_addc(&json, '{');
    json_key(&json, names[to]);
    buf_addc(&json, '"');
    base64_add(&json, bytes);
    buf_adds(&json, "\"}}");
    return envd_rpc_buf(d, "process.Process/SendInput", &json, fn, ctx, out, err);
}

enum err_code envd_close_stdin(struct envd *d, int64_t pid, envd_fn fn, void *ctx,
                               struct envd_call **out, struct err *err)
{
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_pid(&json, pid);
    buf_addc(&json, '}');
    return envd_rpc_buf(d, "process.Process/CloseStdin", &json, fn, ctx, out, err);
}

enum err_code envd_resize(struct envd *d, int64_t pid, struct envd_size size, envd_fn fn, void *ctx,
                          struct envd_call **out, struct err *err)
{
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_pid(&json, pid);
    buf_addf(&json, ",\"pty\":{\"size\":{\"cols\":%d,\"rows\":%d}}}", size.cols, size.rows);
    return envd_rpc_buf(d, "process.Process/Update", &json, fn, ctx, out, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/connect_rpc.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base64.h"
#include "common/json.h"

#include "common/banned.h"

enum { FLAG_COMPRESSED = 1, FLAG_END = 2 };

static const struct {
    const char *text;
    int status;
} codes[RPC_CODES] = {
#define RPC_ROW(name, text, status) [RPC_##name] = {text, status},
    RPC_MAP(RPC_ROW)
#undef RPC_ROW
};

const char *rpc_code_text(enum rpc_code c)
{
    return codes[c].text;
}

int rpc_http_status(enum rpc_code c)
{
    return codes[c].status;
}

enum rpc_code rpc_code_of_errno(int errnum)
{
    static const struct {
        int errnum;
        enum rpc_code code;
    } map[] = {
        {ENOENT, RPC_NOT_FOUND},          {EEXIST, RPC_ALREADY_EXISTS},
        {EACCES, RPC_PERMISSION_DENIED},  {EPERM, RPC_PERMISSION_DENIED},
        {ENOTDIR, RPC_INVALID_ARGUMENT},  {ENAMETOOLONG, RPC_INVALID_ARGUMENT},
        {ELOOP, RPC_INVALID_ARGUMENT},    {EINVAL, RPC_INVALID_ARGUMENT},
        {ENOSPC, RPC_RESOURCE_EXHAUSTED}, {EDQUOT, RPC_RESOURCE_EXHAUSTED},
    };

    for (size_t i = 0; i < COUNTOF(map); i++)
        if (map[i].errnum == errnum)
            return map[i].code;
    return RPC_INTERNAL;
}

enum err_code rpc_open_request(struct str body, struct str *message, struct err *err)
{
    const unsigned char *h = (const unsigned char *)body.p;

    if (body.n < RPC_HEAD_BYTES)
        return err_set(err, ERR_INVALID, "protocol error: incomplete envelope");
    if (h[0] & FLAG_COMPRESSED)
        return err_set(err, ERR_INVALID, "protocol error: a compressed message is not supported");
    if (h[0] != 0)
        return err_set(err, ERR_INVALID, "protocol error: invalid envelope flags %u", h[0]);
    uint64_t n = (uint64_t)h[1] << 24 | (uint64_t)h[2] << 16 | (uint64_t)h[3] << 8 | h[4];
    if (n > RPC_MESSAGE_MAX)
        return err_set(err, ERR_INVALID, "message of %llu bytes is over the ceiling",
                       (unsigned long long)n);
    if (n != body.n - RPC_HEAD_BYTES)
        return err_set(err, ERR_INVALID, "protocol error: promised %llu bytes, got %zu",
                       (unsigned long long)n, body.n - RPC_HEAD_BYTES);
    *message = (struct str){body.p + RPC_HEAD_BYTES, (size_t)n};
    return ERR_OK;
}

static void put_head(struct buf *out, unsigned char flags)
{
    const char head[RPC_HEAD_BYTES] = {(char)flags};

    buf_add(out, head, sizeof(head));
}

/* Writes the length of the message that was appended behind the head at `at`. */
static void seal(struct buf *out, size_t at)
{
    if (out->rc != ERR_OK)
        return;
    size_t n = out->len - at - RPC_HEAD_BYTES;
    for (int i = 0; i < 4; i++)
        out->p[at + 1 + (size_t)i] = (char)(n >> (24 - 8 * i) & 0xff);
}

void rpc_put_data(struct buf *out, struct str json)
{
    size_t at = out->len;

    put_head(out, 0);
    buf_addstr(out, json);
    seal(out, at);
}

void rpc_put_start(struct buf *out, int64_t pid)
{
    size_t at = out->len;

    put_head(out, 0);
    buf_addf(out, "{\"event\":{\"start\":{\"pid\":%lld}}}", (long long)pid);
    seal(out, at);
}

void rpc_put_output(struct buf *out, const char *stream, struct str bytes)
{
    size_t at = out->len;

    put_head(out, 0);
    buf_addf(out, "{\"event\":{\"data\":{\"%s\":\"", stream);
    base64_add(out, bytes);
    buf_adds(out, "\"}}}");
    seal(out, at);
}

void rpc_put_keepalive(struct buf *out)
{
    rpc_put_data(out, STR("{\"event\":{\"keepalive\":{}}}"));
}

static const char *signal_text(int signum)
{
    static const struct {
        int signum;
        const char *text;
    } names[] = {
        {1, "hangup"}, {2, "interrupt"},           {3, "quit"},         {6, "aborted"},
        {9, "killed"}, {11, "segmentation fault"}, {13, "broken pipe"}, {15, "terminated"},
    };

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (names[i].signum == signum)
            return names[i].text;
    return NULL;
}

static void put_status(struct buf *b, int wait_status)
{
    if (!WIFSIGNALED(wait_status)) {
        buf_addf(b, "exit status %d", WEXITSTATUS(wait_status));
        return;
    }
    const char *name = signal_text(WTERMSIG(wait_status));
    if (name != NULL)
        buf_addf(b, "signal: %s", name);
    else
        buf_addf(b, "signal: signal %d", WTERMSIG(wait_status));
}

/* proto3 JSON leaves out what has its default: exitCode 0, exited false. */
void rpc_put_exit(struct buf *out, int wait_status)
{
    AUTO_BUF text = BUF_INIT(64);
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    size_t at = out->len;

    put_status(&text, wait_status);
    put_head(out, 0);
    buf_adds(out, "{\"event\":{\"end\":{");
    if (code != 0)
        json_kv_int(out, "exitCode", code);
    if (code >= 0)
        json_kv_bool(out, "exited", true);
    json_kv_str(out, "status", buf_str(&text));
    if (code != 0)
        json_kv_str(out, "error", buf_str(&text));
    buf_adds(out, "}}}");
    seal(out, at);
}

void rpc_put_end(struct buf *out)
{
    size_t at = out->len;

    put_head(out, FLAG_END);
    buf_adds(out, "{}");
    seal(out, at);
}

void rpc_error_json(struct buf *out, enum rpc_code code, const char *message)
{
    buf_adds(out, "{");
    json_kv(out, "code", rpc_code_text(code));
    json_kv(out, "message", message);
    buf_adds(out, "}");
}

void rpc_put_end_error(struct buf *out, enum rpc_code code, const char *message)
{
    size_t at = out->len;

    put_head(out, FLAG_END);
    buf_adds(out, "{\"error\":");
    rpc_error_json(out, code, message);
    buf_adds(out, "}");
    seal(out, at);
}

enum err_code rpc_header_int(const char *text, int64_t *out, struct err *err)
{
    bool negative = *text == '-';
    int64_t n = 0;

    if (!str_int(str_of(text + negative), INT64_MAX, &n))
        return err_set(err, ERR_INVALID, "'%.32s' is not a whole number", text);
    *out = negative ? -n : n;
    return ERR_OK;
}

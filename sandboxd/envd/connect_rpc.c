/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/connect_rpc.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base64.h"
#include "common/json/json.h"
#include "common/gzip.h"

#include "common/banned.h"

enum { FLAG_COMPRESSED = 1, FLAG_END = 2, TIMEOUT_DIGITS = 10 };

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
        {EROFS, RPC_PERMISSION_DENIED},   {ENOSPC, RPC_RESOURCE_EXHAUSTED},
        {EDQUOT, RPC_RESOURCE_EXHAUSTED},
    };

    for (size_t i = 0; i < COUNTOF(map); i++)
        if (map[i].errnum == errnum)
            return map[i].code;
    return RPC_INTERNAL;
}

enum rpc_code rpc_code_of_err(enum err_code c)
{
    return c == ERR_TOO_BIG || c == ERR_CAPACITY ? RPC_RESOURCE_EXHAUSTED : RPC_INVALID_ARGUMENT;
}

/* --- requests ------------------------------------------------------------- */

enum err_code rpc_next(struct str *rest, struct rpc_envelope *out, bool *whole, struct err *err)
{
    const unsigned char *h = (const unsigned char *)rest->p;

    *whole = false;
    if (rest->n > 0 && (h[0] & ~FLAG_COMPRESSED) != 0)
        return err_set(err, ERR_INVALID, "protocol error: invalid envelope flags %u", h[0]);
    if (rest->n < RPC_HEAD_BYTES)
        return ERR_OK;
    uint64_t n = (uint64_t)h[1] << 24 | (uint64_t)h[2] << 16 | (uint64_t)h[3] << 8 | h[4];
    if (n > RPC_MESSAGE_MAX)
        return err_set(err, ERR_TOO_BIG, "message size %llu is larger than configured max %d",
                       (unsigned long long)n, RPC_MESSAGE_MAX);
    if (n > rest->n - RPC_HEAD_BYTES)
        return ERR_OK;
    *out = (struct rpc_envelope){.compressed = (h[0] & FLAG_COMPRESSED) != 0,
                                 .bytes = {rest->p + RPC_HEAD_BYTES, (size_t)n}};
    *rest = (struct str){out->bytes.p + n, rest->n - RPC_HEAD_BYTES - (size_t)n};
    *whole = true;
    return ERR_OK;
}

enum err_code rpc_message(const struct rpc_envelope *e, bool gzip, struct buf *room,
                          struct str *message, struct err *err)
{
    *message = e->bytes;
    if (!e->compressed || e->bytes.n == 0)
        return ERR_OK;
    if (!gzip)
        return err_set(err, ERR_INVALID,
                       "protocol error: sent compressed message without compression support");
    buf_clear(room);
    enum err_code rc = gzip_unpack(e->bytes, room, err);
    *message = buf_str(room);
    return rc;
}

enum err_code rpc_open_request(struct str body, bool gzip, struct buf *room, struct str *message,
                               struct err *err)
{
    struct rpc_envelope e;
    bool whole;
    enum err_code rc = rpc_next(&body, &e, &whole, err);

    if (rc != ERR_OK)
        return rc;
    if (!whole)
        return err_set(err, ERR_INVALID, "protocol error: incomplete envelope");
    if (body.n > 0)
        return err_set(err, ERR_INVALID, "protocol error: %zu bytes behind the only message",
                       body.n);
    return rpc_message(&e, gzip, room, message, err);
}

/* --- answers ---------------------------------------------------------------- */

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

enum err_code rpc_compress(struct str frames, struct buf *out, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && frames.n >= RPC_HEAD_BYTES) {
        const unsigned char *h = (const unsigned char *)frames.p;
        size_t n = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];
        size_t at = out->len;

        put_head(out, h[0] | FLAG_COMPRESSED);
        rc = gzip_pack((struct str){frames.p + RPC_HEAD_BYTES, n}, out, err);
        seal(out, at);
        frames = (struct str){frames.p + RPC_HEAD_BYTES + n, frames.n - RPC_HEAD_BYTES - n};
    }
    return rc;
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

/* --- headers ---------------------------------------------------------------- */

static bool whole_number(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    int64_t n = 0;

    if (!str_int(str_of(text + negative), INT64_MAX, &n))
        return false;
    *out = negative ? -n : n;
    return true;
}

enum err_code rpc_keepalive(const char *text, int64_t *ms, struct err *err)
{
    int64_t s = 0;

    if (text == NULL)
        return ERR_OK;
    if (!whole_number(text, &s) || s < 1 || s > RPC_KEEPALIVE_MAX_S)
        return err_set(err, ERR_INVALID, "Keepalive-Ping-Interval must be 1 to %d s: got '%.32s'",
                       RPC_KEEPALIVE_MAX_S, text);
    *ms = s * 1000;
    return ERR_OK;
}

enum err_code rpc_timeout(const char *text, int64_t *ms, struct err *err)
{
    if (text == NULL || *text == '\0')
        return ERR_OK;
    if (strlen(text) > TIMEOUT_DIGITS)
        return err_set(err, ERR_INVALID, "parse timeout: \"%.32s\" has >%d digits", text,
                       TIMEOUT_DIGITS);
    if (!whole_number(text, ms))
        return err_set(err, ERR_INVALID, "parse timeout: \"%.32s\" is not a whole number", text);
    return ERR_OK;
}

bool rpc_version_ok(const char *text)
{
    return text == NULL || *text == '\0' || strcmp(text, "1") == 0;
}

bool rpc_encoding_ok(const char *text, bool *gzip)
{
    *gzip = text != NULL && strcasecmp(text, "gzip") == 0;
    return *gzip || text == NULL || *text == '\0' || strcasecmp(text, "identity") == 0;
}

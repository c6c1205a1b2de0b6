/* SPDX-License-Identifier: Apache-2.0 */
/* envd's filesystem.Filesystem: what concerns entries. Each asks the sandbox, and
 * answers when it has. */
#include "sandboxd/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/envd/files_call.h"
#include "sandboxd/envd/filesystem.h"

#include "common/banned.h"

/* --- asking --------------------------------------------------------------------- */

bool filesystem_path(struct request *r, const struct sandbox *sb, const cJSON *body,
                     const char *key, char out[PATH_MAX_BYTES])
{
    struct err e = ERR_INIT;

    if (path_resolve(sandbox_home(sb), str_of(json_get_string(body, key)), out, &e) == ERR_OK)
        return true;
    request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s", e.msg);
    return false;
}

void filesystem_ask(struct path_call *p, struct sandbox *sb, const struct file_op *op,
                    file_call_fn done)
{
    AUTO_BUF names = BUF_INIT(2 * PATH_MAX_BYTES + 2);
    struct err e = ERR_INIT;

    put_path(&names, p->path);
    if (op->strings == 2)
        put_path(&names, p->other);
    if (file_call(&p->call, sb, op, buf_str(&names), done, &e) != ERR_OK)
        request_rpc_error(p->r, RPC_UNAVAILABLE, "%s", e.msg);
}

/* A request about `key`, and `other` if it is not NULL. */
static void ask(struct request *r, struct file_op op, const char *key, const char *other,
                file_call_fn done)
{
    struct sandbox *sb = request_sandbox(r);

    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct path_call *p = body != NULL ? path_call_new(r) : NULL;
    int64_t depth = 0;

    if (p == NULL || !filesystem_path(r, sb, body, key, p->path) ||
        (other != NULL && !filesystem_path(r, sb, body, other, p->other)))
        return;
    if (json_get_int(body, "depth", &depth) && depth > 0)
        op.depth = depth < UINT32_MAX ? (uint32_t)depth : UINT32_MAX;
    op.strings = other != NULL ? 2 : 1;
    filesystem_ask(p, sb, &op, done);
}

/* --- answering -------------------------------------------------------------------- */

void filesystem_fail(struct path_call *p, int errnum, const char *what)
{
    if (errnum == ESRCH && request_sandbox(p->r) == NULL)
        return; /* it has ended, and that is answered */
    request_rpc_error(p->r, rpc_code_of_errno(errnum), "%s: %s", what, errno_text(errnum));
}

/* {"entry":…} or {"entries":…} */
static void answer_json(struct path_call *p, const char *key, int fd)
{
    AUTO_BUF text = BUF_INIT(FILE_OP_ANSWER_MAX), body = BUF_INIT(FILE_OP_ANSWER_MAX + 64);
    struct err e = ERR_INIT;

    if (file_call_text(fd, &text, &e) != ERR_OK) {
        request_rpc_error(p->r, RPC_INTERNAL, "%s", e.msg);
    } else if (str_is(buf_str(&text), "[]")) { /* the default value is left out */
        buf_adds(&body, "{}");
        request_json(p->r, 200, &body);
    } else {
        buf_addc(&body, '{');
        json_kv_raw(&body, key, buf_str(&text));
        buf_addc(&body, '}');
        request_json(p->r, 200, &body);
    }
    (void)close(fd);
}

/* "file not found: lstat /x: no such file or directory" */
static void fail_path(struct path_call *p, int errnum, const char *text, const char *call)
{
    if (errnum == ENOENT)
        request_rpc_error(p->r, RPC_NOT_FOUND, "%s: %s %s: %s", text, call, p->path,
                          errno_text(errnum));
    else
        filesystem_fail(p, errnum, "error getting file info");
}

static void on_stat(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;

    if (errnum == 0)
        answer_json(p, "entry", fd);
    else
        fail_path(p, errnum, "file not found", "lstat");
}

void handle_stat(struct request *r)
{
    ask(r, (struct file_op){.kind = FILE_OP_STAT}, "path", NULL, on_stat);
}

static void on_made(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;

    if (errnum == 0)
        answer_json(p, "entry", fd);
    else if (errnum == EEXIST)
        request_rpc_error(p->r, RPC_ALREADY_EXISTS, "directory already exists: %s", p->path);
    else if (errnum == ENOTDIR)
        request_rpc_error(p->r, RPC_INVALID_ARGUMENT,
                          "path already exists but it is not a directory: %s", p->path);
    else
        filesystem_fail(p, errnum, "failed to create directory");
}

void handle_make_dir(struct request *r)
{
    ask(r, (struct file_op){.kind = FILE_OP_MAKE_DIR}, "path", NULL, on_made);
}

static void on_moved(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;

    if (errnum == 0)
        answer_json(p, "entry", fd);
    else if (errnum == ENOENT)
        request_rpc_error(p->r, RPC_NOT_FOUND, "source file not found: rename %s %s: %s", p->path,
                          p->other, errno_text(errnum));
    else
        filesystem_fail(p, errnum, "error renaming");
}

void handle_move(struct request *r)
{
    ask(r, (struct file_op){.kind = FILE_OP_MOVE}, "source", "destination", on_moved);
}

static void on_listed(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;

    if (errnum == 0)
        answer_json(p, "entries", fd);
    else if (errnum == ENOTDIR)
        request_rpc_error(p->r, RPC_INVALID_ARGUMENT, "path is not a directory: %s", p->path);
    else if (errnum == ELOOP)
        request_rpc_error(p->r, RPC_FAILED_PRECONDITION,
                          "cyclic symlink or chain >255 links at \"%s\"", p->path);
    else if (errnum == E2BIG)
        request_rpc_error(p->r, RPC_RESOURCE_EXHAUSTED,
                          "the list of %s is over %d bytes: list its folders one by one", p->path,
                          FILE_OP_ANSWER_MAX);
    else
        fail_path(p, errnum, "path not found", "lstat");
}

void handle_list_dir(struct request *r)
{
    ask(r, (struct file_op){.kind = FILE_OP_LIST}, "path", NULL, on_listed);
}

static void on_removed(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;
    AUTO_BUF body = BUF_INIT(16);

    (void)fd;
    if (errnum != 0) {
        filesystem_fail(p, errnum, "error removing file or directory");
        return;
    }
    buf_adds(&body, "{}");
    request_json(p->r, 200, &body);
}

/* A path that is not there is a success, as in envd. */
void handle_remove(struct request *r)
{
    ask(r, (struct file_op){.kind = FILE_OP_REMOVE}, "path", NULL, on_removed);
}

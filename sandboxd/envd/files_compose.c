/* SPDX-License-Identifier: Apache-2.0 */
/* envd's POST /files/compose: several files become one. */
#include "sandboxd/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/envd/files_call.h"

#include "common/banned.h"

static bool resolve(struct path_call *p, const struct sandbox *sb, const char *what,
                    const char *path, char out[PATH_MAX_BYTES])
{
    struct err e = ERR_INIT;

    if (path_resolve(sandbox_home(sb), str_of(path), out, &e) == ERR_OK)
        return true;
    request_error(p->r, 400, "error resolving %s path: %s", what, e.msg);
    return false;
}

/* The names of the operation; false: answered. */
static bool put_names(struct path_call *p, const struct sandbox *sb, const cJSON *sources,
                      struct buf *names)
{
    const cJSON *one;

    put_path(names, p->path);
    cJSON_ArrayForEach(one, sources)
    {
        if (!cJSON_IsString(one)) {
            request_error(p->r, 400, "invalid request body: source_paths holds no string");
            return false;
        }
        if (!resolve(p, sb, "source", one->valuestring, p->other))
            return false;
        if (strcmp(p->other, p->path) == 0) {
            request_error(p->r, 400, "source path \"%s\" cannot be the same as destination",
                          one->valuestring);
            return false;
        }
        put_path(names, p->other);
    }
    return true;
}

static void answer_fault(struct path_call *p, const cJSON *fault)
{
    AUTO_JSON *body = request_object(p->r);
    int64_t source = 0, errnum = 0;

    if (body == NULL || !json_get_int(fault, "source", &source) ||
        !json_get_int(fault, "errno", &errnum))
        return;
    const cJSON *one = cJSON_GetArrayItem(json_get(body, "source_paths"), (int)source);
    const char *path = cJSON_IsString(one) ? one->valuestring : "";
    if (errnum == ENOENT)
        request_error(p->r, 404, "source file not found: %s", path);
    else if (errnum == EINVAL || errnum == EISDIR)
        request_error(p->r, 400, "source path is not a regular file: %s", path);
    else
        request_error(p->r, file_refused(errnum) ? 403 : 500, "error composing source %s: %s", path,
                      errno_text((int)errnum));
}

static void answer(struct path_call *p, int fd)
{
    AUTO_BUF text = BUF_INIT(FILE_OP_ANSWER_MAX), body = BUF_INIT(8 * PATH_MAX_BYTES);
    AUTO_JSON *told = NULL;
    struct err e = ERR_INIT;

    if (file_call_text(fd, &text, &e) != ERR_OK ||
        json_parse(buf_str(&text), 0, &told, &e) != ERR_OK) {
        request_error(p->r, 500, "%s", e.msg);
    } else if (json_get(told, "errno") != NULL) {
        answer_fault(p, told);
    } else {
        buf_addc(&body, '{');
        json_kv(&body, "path", p->path);
        json_kv(&body, "name", path_base(p->path));
        json_kv(&body, "type", "file");
        buf_addc(&body, '}');
        request_json(p->r, 200, &body);
    }
    (void)close(fd);
}

static void on_composed(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;

    if (errnum == 0)
        answer(p, fd);
    else if (errnum == ESRCH && request_sandbox(p->r) == NULL)
        return; /* it has ended, and that is answered */
    else if (errnum == ENOSPC || errnum == EDQUOT)
        request_error(p->r, 507, "not enough disk space available");
    else
        request_error(p->r, file_refused(errnum) ? 403 : 500, "error finalizing compose: %s",
                      errno_text(errnum));
}

void handle_compose(struct request *r)
{
    struct file_op op = {.kind = FILE_OP_COMPOSE};
    AUTO_BUF names = BUF_INIT(FILE_OP_BYTES_MAX);
    struct sandbox *sb = request_sandbox(r);
    struct err e = ERR_INIT;
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;

    if (body == NULL)
        return;
    const cJSON *sources = json_get(body, "source_paths");
    const char *to = json_get_string(body, "destination"),
               *user = json_get_string(body, "username");
    if (!cJSON_IsArray(sources) || cJSON_GetArraySize(sources) == 0)
        request_error(r, 400, "source_paths must not be empty");
    else if (to == NULL || to[0] == '\0')
        request_error(r, 400, "destination is required");
    else if (cJSON_GetArraySize(sources) >= FILE_OP_STRINGS_MAX)
        request_error(r, 400, "source_paths holds over %d paths", FILE_OP_STRINGS_MAX - 1);
    else if (user != NULL && user[0] != '\0' && strcmp(user, SANDBOX_USER) != 0)
        request_error(r, 401, "error looking up user '%.100s': user: unknown user %.100s", user,
                      user);
    if (r->response != NULL || !request_user_ok(r))
        return;
    struct path_call *p = path_call_new(r);
    if (p == NULL || !resolve(p, sb, "destination", to, p->path) ||
        !put_names(p, sb, sources, &names))
        return;
    op.strings = 1 + (uint32_t)cJSON_GetArraySize(sources);
    if (file_call(&p->call, sb, &op, buf_str(&names), on_composed, &e) != ERR_OK)
        request_error(r, 503, "%s", e.msg);
}

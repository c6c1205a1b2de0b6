/* SPDX-License-Identifier: Apache-2.0 */
/* envd's filesystem.Filesystem: what concerns one entry. */
#include "sandboxd/server.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

static void put_type(struct buf *b, mode_t mode)
{
    if (S_ISREG(mode))
        json_kv(b, "type", "FILE_TYPE_FILE");
    else if (S_ISDIR(mode))
        json_kv(b, "type", "FILE_TYPE_DIRECTORY");
    else if (S_ISLNK(mode))
        json_kv(b, "type", "FILE_TYPE_SYMLINK");
}

static void put_permissions(struct buf *b, mode_t mode)
{
    static const char letters[] = "rwxrwxrwx";
    char text[11] = {S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'L' : '-'};

    for (int i = 0; i < 9; i++)
        text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    json_kv(b, "permissions", text);
}

static void put_owner(struct buf *b, const struct stat *st)
{
    const struct passwd *pw = getpwuid(st->st_uid);
    const struct group *gr = getgrgid(st->st_gid);

    json_kv(b, "owner", pw != NULL ? pw->pw_name : "unknown");
    json_kv(b, "group", gr != NULL ? gr->gr_name : "unknown");
}

static void put_entry(struct buf *b, const char *path, const struct stat *st)
{
    const char *slash = strrchr(path, '/');
    char number[32], at[CLOCK_TEXT];

    buf_adds(b, "{");
    json_kv(b, "name", slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    put_type(b, st->st_mode);
    json_kv(b, "path", path);
    (void)snprintf(number, sizeof(number), "%lld", (long long)st->st_size);
    json_kv(b, "size", number);
    json_kv_int(b, "mode", st->st_mode & 07777);
    put_permissions(b, st->st_mode);
    put_owner(b, st);
    json_kv(b, "modifiedTime",
            clock_rfc3339((int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000, at));
    buf_adds(b, "}");
}

static void answer_errno(struct request *r, int errnum, const char *path)
{
    request_rpc_error(r, rpc_code_of_errno(errnum), "'%s': %s", path, strerror(errnum));
}

static void answer_entry(struct request *r, const char *path)
{
    const struct server *s = r->app;
    struct stat st;
    AUTO_BUF body = BUF_INIT(8 * PATH_MAX_BYTES);

    identity_enter(&s->identity);
    int rc = lstat(path, &st), errnum = errno;
    identity_leave(&s->identity);
    if (rc != 0) {
        answer_errno(r, errnum, path);
        return;
    }
    buf_adds(&body, "{\"entry\":");
    put_entry(&body, path, &st);
    buf_adds(&body, "}");
    request_json(r, 200, &body);
}

static bool member_path(struct request *r, const struct sandbox *sb, const cJSON *body,
                        const char *key, char out[PATH_MAX_BYTES])
{
    struct err e = ERR_INIT;

    if (path_resolve(sandbox_home(sb), str_of(json_get_string(body, key)), out, &e) == ERR_OK)
        return true;
    request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s: %s", key, e.msg);
    return false;
}

/* The sandbox and the path of a request {"path":…}; false: answered. */
static bool one_path(struct request *r, char path[PATH_MAX_BYTES])
{
    const struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;

    return body != NULL && member_path(r, sb, body, "path", path);
}

void handle_stat(struct request *r)
{
    char path[PATH_MAX_BYTES];

    if (one_path(r, path))
        answer_entry(r, path);
}

void handle_make_dir(struct request *r)
{
    const struct server *s = r->app;
    char path[PATH_MAX_BYTES];

    if (!one_path(r, path))
        return;
    identity_enter(&s->identity);
    int errnum = path_make_parents(path);
    if (errnum == 0 && mkdir(path, 0755) != 0)
        errnum = errno;
    identity_leave(&s->identity);
    if (errnum != 0)
        answer_errno(r, errnum, path);
    else
        answer_entry(r, path);
}

void handle_move(struct request *r)
{
    const struct server *s = r->app;
    const struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];

    if (body == NULL || !member_path(r, sb, body, "source", from) ||
        !member_path(r, sb, body, "destination", to))
        return;
    identity_enter(&s->identity);
    int errnum = path_make_parents(to);
    if (errnum == 0 && rename(from, to) != 0)
        errnum = errno;
    identity_leave(&s->identity);
    if (errnum != 0)
        answer_errno(r, errnum, from);
    else
        answer_entry(r, to);
}

/* A path that is not there is a success, as in envd. */
void handle_remove(struct request *r)
{
    const struct server *s = r->app;
    char path[PATH_MAX_BYTES];
    AUTO_BUF body = BUF_INIT(16);

    if (!one_path(r, path))
        return;
    identity_enter(&s->identity);
    int errnum = tree_remove(path) != 0 ? errno : 0;
    identity_leave(&s->identity);
    if (errnum != 0) {
        answer_errno(r, errnum, path);
        return;
    }
    buf_adds(&body, "{}");
    request_json(r, 200, &body);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* envd's filesystem.Filesystem: watching a folder, by a stream or by asking now and then. */
#include "sandboxd/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/envd/filesystem.h"
#include "sandboxd/envd/process_rpc.h"
#include "sandboxd/envd/watcher.h"

#include "common/banned.h"

/* --- asking for one ----------------------------------------------------------------- */

static uint32_t flags_of(const cJSON *m)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } keys[] = {{"recursive", FILE_OP_RECURSIVE},
                {"includeEntry", FILE_OP_WITH_ENTRY},
                {"allowNetworkMounts", FILE_OP_NETWORK}};
    uint32_t flags = 0;
    bool on;

    for (size_t i = 0; i < COUNTOF(keys); i++)
        if (json_get_bool(m, keys[i].key, &on) && on)
            flags |= keys[i].flag;
    return flags;
}

/* `m` is the message, NULL when it was refused. */
static void ask(struct request *r, struct sandbox *sb, const cJSON *m, file_call_fn done)
{
    const struct file_op op = {.kind = FILE_OP_WATCH, .strings = 1, .flags = flags_of(m)};
    struct path_call *p = m != NULL ? path_call_new(r) : NULL;

    if (p == NULL || !filesystem_path(r, sb, m, "path", p->path))
        return;
    if (watchers_full(sb))
        request_rpc_error(r, RPC_RESOURCE_EXHAUSTED,
                          "the sandbox has %d watchers already: stop one", WATCHERS_MAX);
    else
        filesystem_ask(p, sb, &op, done);
}

/* The sandbox, still there, and a socket in *fd; NULL: answered. */
static struct sandbox *came(struct path_call *p, int errnum, int fd)
{
    struct sandbox *sb = request_sandbox(p->r);
    struct stat st;

    if (errnum == 0 && (fd < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)))
        errnum = EIO; /* it came from the sandbox */
    if (sb != NULL && errnum == 0)
        return sb;
    if (fd >= 0)
        (void)close(fd);
    if (sb == NULL)
        return NULL;
    if (errnum == ENOENT)
        request_rpc_error(p->r, RPC_NOT_FOUND, "path %s not found: stat %s: %s", p->path, p->path,
                          errno_text(errnum));
    else if (errnum == ENOTDIR)
        request_rpc_error(p->r, RPC_INVALID_ARGUMENT, "path %s not a directory", p->path);
    else if (errnum == EREMOTE)
        request_rpc_error(p->r, RPC_INVALID_ARGUMENT, "cannot watch path on network filesystem: %s",
                          p->path);
    else
        filesystem_fail(p, errnum, "error creating watcher");
    return NULL;
}

/* --- a stream ----------------------------------------------------------------------- */

static void on_stream(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;
    struct sandbox *sb = came(p, errnum, fd);
    struct follow how;

    if (sb == NULL)
        return;
    if (request_follow(p->r, &how))
        watcher_stream(sb, p->r, &how, fd);
    else
        (void)close(fd);
}

void handle_watch_dir(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    struct follow how;

    if (sb == NULL || !request_follow(r, &how))
        return;
    AUTO_JSON *m = request_message(r);
    ask(r, sb, m, on_stream);
}

/* --- a queue ------------------------------------------------------------------------ */

static void on_queue(struct file_call *c, int errnum, int fd)
{
    struct path_call *p = c->owner;
    struct sandbox *sb = came(p, errnum, fd);
    AUTO_BUF body = BUF_INIT(256);

    if (sb == NULL)
        return;
    const struct watcher *w = watcher_queue(sb, fd);
    if (w == NULL) {
        request_rpc_error(p->r, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    buf_addc(&body, '{');
    json_kv(&body, "watcherId", watcher_id(w));
    buf_addc(&body, '}');
    request_json(p->r, 200, &body);
}

void handle_create_watcher(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? request_object(r) : NULL;

    if (sb != NULL)
        ask(r, sb, m, on_queue);
}

/* The one that the request names; NULL: answered. */
static struct watcher *named(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *m = sb != NULL ? request_object(r) : NULL;
    const char *id = json_get_string(m, "watcherId");

    if (m == NULL)
        return NULL;
    struct watcher *w = watcher_find(sb, id != NULL ? id : "");
    if (w == NULL)
        request_rpc_error(r, RPC_NOT_FOUND, "watcher with id %.64s not found",
                          id != NULL ? id : "");
    return w;
}

void handle_watcher_events(struct request *r)
{
    AUTO_BUF events = BUF_INIT(2 * WATCHER_QUEUE_BYTES), body = BUF_INIT(3 * WATCHER_QUEUE_BYTES);
    struct watcher *w = named(r);

    if (w == NULL)
        return;
    const char *why = watcher_take(w, &events);
    if (why != NULL) {
        request_rpc_error(r, RPC_INTERNAL, "%s", why);
        return;
    }
    buf_addc(&body, '{');
    if (events.len > 0) {
        buf_adds(&body, "\"events\":[");
        buf_addstr(&body, buf_str(&events));
        buf_addc(&body, ']');
    }
    buf_addc(&body, '}');
    request_json(r, 200, &body);
}

void handle_remove_watcher(struct request *r)
{
    AUTO_BUF body = BUF_INIT(16);
    struct watcher *w = named(r);

    if (w == NULL)
        return;
    watcher_remove(w);
    buf_adds(&body, "{}");
    request_json(r, 200, &body);
}

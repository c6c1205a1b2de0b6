/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_snapshot.h"

#include "common/json/json.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

enum { BODY_MAX_BYTES = 1024 };

static enum err_code read_snapshot(const struct http_answer *a, char id[SANDBOX_TEMPLATE_MAX_BYTES],
                                   struct err *err)
{
    AUTO_JSON *tree = NULL;

    if (json_parse(a->body, 0, &tree, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer is not JSON");
    return sandbox_snapshot_parse(tree, id, err);
}

static enum err_code tell_snapshot(struct sandbox_call *c, const struct http_answer *a,
                                   const struct err *e, struct err *err)
{
    char id[SANDBOX_TEMPLATE_MAX_BYTES];
    struct sandbox_answered to;

    if (e->code == ERR_OK && read_snapshot(a, id, err) != ERR_OK)
        return err->code;
    to = sandbox_call_take(c);
    if (!to.forgotten)
        to.fn.snapshot(to.ctx, e->code == ERR_OK ? id : NULL, e);
    return ERR_OK;
}

enum err_code sandbox_snapshot(struct sandbox_service *s, const char *sandbox_id, const char *name,
                               sandbox_snapshot_fn fn, void *ctx, struct err *err)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);

    if (!sandbox_id_ok(str_of(sandbox_id)))
        return err_set(err, ERR_INVALID, "snapshot of a sandbox: its id");
    buf_addc(&body, '{');
    json_kv(&body, "name", name);
    buf_addc(&body, '}');
    if (body.rc != ERR_OK)
        return err_set(err, ERR_INVALID, "snapshot of a sandbox: its name is too long");
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = SANDBOX_CALL_SNAPSHOT,
                                                    .id = sandbox_id,
                                                    .body = body.p,
                                                    .told = tell_snapshot,
                                                    .fn.snapshot = fn,
                                                    .ctx = ctx},
                              err);
}

enum err_code sandbox_snapshot_delete(struct sandbox_service *s, const char *snapshot_id,
                                      sandbox_fn fn, void *ctx, struct err *err)
{
    if (!sandbox_template_ok(str_of(snapshot_id)))
        return err_set(err, ERR_INVALID, "delete a snapshot: its id");
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = SANDBOX_CALL_SNAPSHOT_DELETE,
                                                    .id = snapshot_id,
                                                    .told = sandbox_tell_done,
                                                    .fn.done = fn,
                                                    .ctx = ctx},
                              err);
}

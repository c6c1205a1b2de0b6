/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: what its handlers share, and the end of a sandbox. */
#include "sandboxd/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/web/query.h"

#include "common/banned.h"

void control_not_found(struct request *r, struct str id)
{
    request_error(r, 404, "Sandbox \"" STR_FMT "\" doesn't exist or you don't have access to it",
                  STR_ARG(id));
}

struct sandbox *request_running(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);

    if (sb == NULL || !life_paused(sb))
        return sb;
    control_not_found(r, r->param); /* as for the service, which has none in memory */
    return NULL;
}

bool query_int(struct request *r, const char *name, int64_t least, int64_t most, int64_t *inout)
{
    struct str s = request_query(r, name);
    int64_t n = 0;

    if (s.p == NULL)
        return true;
    if (str_int(s, most, &n) && n >= least) {
        *inout = n;
        return true;
    }
    request_error(r, 400, "'%s' must be a whole number from %lld to %lld", name, (long long)least,
                  (long long)most);
    return false;
}

void sandbox_json(const struct sandbox *sb, struct buf *out)
{
    const struct life *l = sb->life;

    buf_adds(out, "{");
    json_kv(out, "templateID", l->template_id);
    json_kv(out, "alias", sb->template);
    json_kv(out, "sandboxID", sb->id);
    json_kv(out, "clientID", "sandfleet");
    json_kv(out, "envdVersion", ENVD_VERSION);
    if (l->secure)
        json_kv(out, "envdAccessToken", sb->token);
    json_kv_raw(out, "domain", STR("null"));
    buf_adds(out, "}");
}

/* --- waiting for a state ------------------------------------------------------------ */

struct await {
    struct life_waiter waiter;
    struct sandbox *sb;
    struct request *r;
    settled_fn again;
};

static void await_gone(struct request *r)
{
    struct await *a = r->state;

    life_unwait(&a->waiter);
    free(a);
}

static void on_settled(struct life_waiter *w, int errnum)
{
    struct await a = *CONTAINER_OF(w, struct await, waiter);

    free(a.r->state);
    a.r->state = NULL;
    a.r->gone = NULL;
    if (errnum == ESRCH)
        control_not_found(a.r, a.r->param);
    else
        a.again(a.r, a.sb, errnum);
}

bool request_await(struct request *r, struct sandbox *sb, settled_fn again)
{
    struct await *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        request_error(r, 500, "out of memory");
        return false;
    }
    *a = (struct await){.waiter.settled = on_settled, .sb = sb, .r = r, .again = again};
    r->state = a;
    r->gone = await_gone;
    life_wait(sb, &a->waiter);
    return true;
}

/* --- kill ------------------------------------------------------------------------------ */

struct kill_wait {
    struct waiter waiter;
    struct request *r; /* NULL: the client is gone */
};

static void on_ended(struct waiter *w)
{
    struct kill_wait *k = CONTAINER_OF(w, struct kill_wait, waiter);

    if (k->r != NULL) {
        k->r->gone = NULL;
        request_empty(k->r, 204);
    }
    free(k);
}

static void kill_gone(struct request *r)
{
    struct kill_wait *k = r->state;

    k->r = NULL;
}

/* Answered when all is gone. */
void handle_kill(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    struct kill_wait *k = sb != NULL ? calloc(1, sizeof(*k)) : NULL;

    if (sb == NULL)
        return;
    if (k == NULL) {
        request_error(r, 500, "out of memory");
        return;
    }
    k->waiter.ended = on_ended;
    k->r = r;
    r->state = k;
    r->gone = kill_gone;
    sandbox_kill(sb, "asked for", &k->waiter);
}

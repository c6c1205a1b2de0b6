/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted faults, applied to a request. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "sandboxd/web/web_internal.h"

#include "common/banned.h"

struct delay {
    struct held held;
    struct request *r;
    struct timer *timer;
    bool waiting;
};

static void on_shut(struct held *h)
{
    struct delay *d = CONTAINER_OF(h, struct delay, held);

    d->waiting = false;
    LIST_REMOVE(h, link);
    timer_stop(d->timer);
    MHD_resume_connection(d->r->conn);
    web_kick(d->r->web);
}

static void on_time(void *ctx)
{
    struct delay *d = ctx;

    on_shut(&d->held);
}

bool fault_delays(struct request *r)
{
    int64_t ms = r->delay_ms;
    struct delay *d = ms > 0 ? calloc(1, sizeof(*d)) : NULL;

    r->delay_ms = 0;
    if (d == NULL)
        return false;
    d->r = r;
    d->held.shut = on_shut;
    d->timer = timer_new(web_loop(r->web), on_time, d);
    r->delay = d;
    if (d->timer == NULL)
        return false;
    d->waiting = true;
    web_hold(r->web, &d->held);
    timer_start(d->timer, ms);
    MHD_suspend_connection(r->conn);
    return true;
}

void fault_forget(struct request *r)
{
    if (r->delay == NULL)
        return;
    if (r->delay->waiting)
        LIST_REMOVE(&r->delay->held, link);
    timer_free(r->delay->timer);
    free(r->delay);
    r->delay = NULL;
}

static void answer(struct request *r, const struct fault *f)
{
    AUTO_BUF body = BUF_INIT(FAULTS_BYTES);
    const cJSON *e;
    bool typed = false;

    cJSON_ArrayForEach(e, f->headers) typed = typed || strcasecmp(e->string, "Content-Type") == 0;
    buf_adds(&body, f->body != NULL ? f->body : "");
    request_answer(r, f->status, typed ? NULL : f->type, &body);
    cJSON_ArrayForEach(e, f->headers)
    {
        if (MHD_add_response_header(r->response, e->string, e->valuestring) != MHD_YES)
            log_event(LOG_WARN, "fault.header", LF("refused", e->string));
    }
}

static void apply(struct request *r, const struct fault *f)
{
    switch (f->kind) {
    case FAULT_NONE:
    case FAULT_KINDS:
        break;
    case FAULT_ANSWER:
        answer(r, f);
        break;
    case FAULT_DELAY:
        r->delay_ms = f->ms;
        break;
    case FAULT_CUT:
    case FAULT_HALF_OPEN:
    case FAULT_DRIP:
    case FAULT_NO_END:
        r->effect = (struct effect){f->kind, f->after_bytes, f->bytes_per_s};
        break;
    case FAULT_LOSE:
        web_opts_of(r->web)->lose(r);
        break;
    case FAULT_DISK_FULL:
        request_error(r, 507, "not enough disk space available");
        break;
    case FAULT_WRONG_TOKEN:
        request_error(r, 401, REFUSED_TOKEN);
        break;
    }
}

void fault_meet(struct request *r)
{
    struct faults **all = web_opts_of(r->web)->faults;
    const char *method = r->route != NULL ? r->route->method : "";
    const char *path = r->route != NULL ? r->route->path : "";

    if (all == NULL || *all == NULL || (r->route != NULL && (r->route->flags & ROUTE_FAULTLESS)))
        return;
    const struct fault *f = faults_next(*all, method, path);
    if (f == NULL)
        return;
    log_event(LOG_WARN, "fault.fired", LF("do", fault_word(f->kind)), LF("method", method),
              LF("path", path));
    apply(r, f);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/outbox.h"

#include <stdlib.h>

#include "common/log.h"
#include "worker/publish/terminal.h"
#include "common/banned.h"

struct owed {
    struct outbox *box;
    struct owed *next;
    struct claim claim;
    struct run_request request;
    struct event_run about;
    struct publish_log *log;
    bool marking;
};

struct outbox {
    const struct run_host *host;
    struct owed *first;
    size_t size;
};

struct outbox *outbox_new(const struct run_host *host)
{
    struct outbox *o = calloc(1, sizeof(*o));
    if (o)
        o->host = host;
    return o;
}

static void owed_free(struct owed *w)
{
    publish_log_free(w->log);
    run_request_release(&w->request);
    claim_release(&w->claim);
    free(w);
}

static void drop(struct owed *w)
{
    struct owed **at = &w->box->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->box->size--;
    owed_free(w);
}

static struct ledger_run who(const struct owed *w)
{
    return (struct ledger_run){.run_id = w->claim.run_id, .epoch = w->claim.epoch};
}

static void done(void *ctx, bool held, const struct err *e)
{
    (void)held, (void)e;
    drop(ctx);
}

/* Somebody tries again later. */
static void give_back(struct owed *w, const struct err *e)
{
    log_event(LOG_WARN, "outbox.later", LF("run", w->claim.run_id), LF_ERR(e));
    if (!ledger_hand_out(w->box->host->ledger, who(w), done, w))
        drop(w);
}

static void on_moved(void *ctx)
{
    struct owed *w = ctx;

    if (w->marking || !publish_log_idle(w->log))
        return;
    w->marking = true;
    log_event(LOG_INFO, "outbox.published", LF("run", w->claim.run_id));
    if (!ledger_set_published(w->box->host->ledger, who(w), done, w))
        drop(w);
}

static enum err_code publish(struct owed *w, struct err *err)
{
    struct event terminal;
    const struct run_request *q = &w->request;
    enum err_code rc = run_request_parse(str_of(w->claim.request), &w->request, err);

    if (rc == ERR_OK)
        rc = terminal_read(str_of(w->claim.terminal), &terminal, err);
    if (rc != ERR_OK)
        return rc;
    w->about = (struct event_run){.tenant = q->tenant,
                                  .run_id = q->run_id,
                                  .batch_id = q->batch_id,
                                  .custom_id = q->custom_id,
                                  .traceparent = q->traceparent,
                                  .created_ms = q->created_ms};
    w->log = publish_log_new(w->box->host->hub, &w->about, on_moved, w);
    if (!w->log)
        return err_set(err, ERR_NOMEM, "run %s", w->claim.run_id);
    return publish_event(w->log, &terminal, err);
}

void outbox_add(struct outbox *o, struct claim *claim)
{
    struct owed *w = calloc(1, sizeof(*w));
    struct err err = ERR_INIT;

    if (!w) {
        claim_release(claim);
        return;
    }
    *w = (struct owed){.box = o, .next = o->first, .claim = *claim};
    w->request = RUN_REQUEST_INIT;
    claim->request = claim->terminal = NULL;
    claim->credential = NULL;
    o->first = w;
    o->size++;
    if (publish(w, &err) != ERR_OK)
        give_back(w, &err);
}

void outbox_ids(const struct outbox *o, struct buf *ids)
{
    for (const struct owed *w = o->first; w; w = w->next)
        ledger_array_text(ids, w->claim.run_id);
}

size_t outbox_size(const struct outbox *o)
{
    return o->size;
}

void outbox_free(struct outbox *o)
{
    while (o && o->first) {
        struct owed *w = o->first;
        o->first = w->next;
        owed_free(w);
    }
    free(o);
}

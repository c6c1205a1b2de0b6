/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/teller.h"

#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/log.h"
#include "schema/run_request.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 4096, REASON_TEXT = 64 };

/* In the order of ledger_sql_tell. */
enum column { COL_RUN, COL_EPOCH, COL_ATTEMPT, COL_REQUEST, COL_REASON, COL_UNTIL };

struct telling {
    struct teller *teller;
    struct telling *next;
    char run_id[UUID_TEXT], reason[REASON_TEXT];
    int64_t epoch;
    struct run_request request;
    struct event_run about;
    struct publish_log *log;
    bool marking;
};

struct teller {
    struct ledger *ledger;
    struct publish_hub *hub;
    struct telling *first;
    size_t n;
};

struct teller *teller_new(struct ledger *l, struct publish_hub *hub)
{
    struct teller *t = calloc(1, sizeof(*t));
    if (t)
        *t = (struct teller){.ledger = l, .hub = hub};
    return t;
}

static void telling_free(struct telling *w)
{
    publish_log_free(w->log);
    run_request_release(&w->request);
    free(w);
}

static void drop(struct telling *w)
{
    struct telling **at = &w->teller->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->teller->n--;
    telling_free(w);
}

/* Not held: it runs by now, or ended. */
static void on_marked(void *ctx, bool held, const struct err *e)
{
    (void)held, (void)e;
    drop(ctx);
}

static void on_moved(void *ctx)
{
    struct telling *w = ctx;

    if (w->marking || !publish_log_idle(w->log))
        return;
    w->marking = true;
    struct ledger_run who = {.run_id = w->run_id, .epoch = w->epoch};
    if (!ledger_set_told(w->teller->ledger, who, w->reason, on_marked, w))
        drop(w);
}

static void write_data(struct buf *data, const struct telling *w, int64_t until_ms)
{
    char until[CLOCK_TEXT];

    buf_addc(data, '{');
    json_kv(data, "reason", w->reason);
    if (until_ms > 0)
        json_kv(data, "until", clock_rfc3339(until_ms, until));
    buf_addc(data, '}');
}

static enum err_code publish(struct telling *w, int64_t attempt, int64_t until_ms, struct err *err)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);
    const struct run_request *q = &w->request;

    w->about = (struct event_run){.tenant = q->tenant,
                                  .run_id = q->run_id,
                                  .batch_id = q->batch_id,
                                  .custom_id = q->custom_id,
                                  .traceparent = q->traceparent,
                                  .created_ms = q->created_ms};
    w->log = publish_log_new(w->teller->hub, &w->about, on_moved, w);
    write_data(&data, w, until_ms);
    if (!w->log || data.rc != ERR_OK)
        return err_set(err, ERR_NOMEM, "run %s", w->run_id);
    struct event e = {.type = EVENT_RUN_HELD,
                      .attempt = attempt,
                      .epoch = w->epoch,
                      .n = 1,
                      .time_ms = clock_wall_ms(),
                      .data = buf_str(&data)};
    return publish_event(w->log, &e, err);
}

static void copy(char *out, size_t size, const char *text)
{
    size_t n = text ? strnlen(text, size - 1) : 0;

    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

static void tell(struct teller *t, const PGresult *res, int row)
{
    struct telling *w = calloc(1, sizeof(*w));
    struct err err = ERR_INIT;

    if (!w)
        return;
    *w = (struct telling){.teller = t, .next = t->first, .epoch = pg_int(res, row, COL_EPOCH)};
    copy(w->run_id, sizeof(w->run_id), pg_text(res, row, COL_RUN));
    copy(w->reason, sizeof(w->reason), pg_text(res, row, COL_REASON));
    w->request = RUN_REQUEST_INIT;
    t->first = w;
    t->n++;
    enum err_code rc = run_request_parse(str_of(pg_text(res, row, COL_REQUEST)), &w->request, &err);
    if (rc == ERR_OK)
        rc = publish(w, pg_int(res, row, COL_ATTEMPT), pg_int(res, row, COL_UNTIL), &err);
    if (rc == ERR_OK)
        return;
    log_event(LOG_WARN, "run.not_told", LF("run", w->run_id), LF_ERR(&err));
    drop(w);
}

void teller_add(struct teller *t, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++)
        tell(t, res, row);
}

size_t teller_size(const struct teller *t)
{
    return t->n;
}

void teller_free(struct teller *t)
{
    while (t && t->first) {
        struct telling *w = t->first;
        t->first = w->next;
        telling_free(w);
    }
    free(t);
}

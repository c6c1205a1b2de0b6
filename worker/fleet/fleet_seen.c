/* SPDX-License-Identifier: Apache-2.0 */
/* The worker seen from outside: /metrics, /healthz, /readyz. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/http/listen.h"
#include "common/json/json.h"
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum { HOLDS_MS = 15000 /* so often the ledger is asked what waits */ };

/* --- what waits -------------------------------------------------------------- */

static void on_holds(void *ctx, PGresult *res, const struct err *e)
{
    const struct fleet *f = ctx;

    if (e->code != ERR_OK || !f->leads) {
        seen_holds_forget();
        return;
    }
    seen_holds_zero();
    for (int row = 0; row < PQntuples(res); row++)
        seen_hold(pg_text(res, row, 0), (double)pg_int(res, row, 1));
}

/* One worker tells it for all. */
static void on_holds_timer(void *ctx)
{
    struct fleet *f = ctx;
    struct pg_cmd cmd = {.sql = "SELECT coalesce(hold_reason, 'none'), count(*)"
                                " FROM ledger.claims WHERE state = 'waiting' GROUP BY 1"};
    struct err err = ERR_INIT;

    timer_start(f->holds, f->leads ? HOLDS_MS : FLEET_KEEP_MS);
    if (!f->leads || ledger_send(f->ledger, &cmd, on_holds, f, &err) != ERR_OK)
        seen_holds_forget();
}

/* --- pages --------------------------------------------------------------------- */

static void look_at_runs(const struct fleet *f)
{
    size_t in_state[RUN_STATES] = {0}, buffers = 0;

    for (size_t i = 0; i < f->n_runs; i++) {
        in_state[run_state(f->runs[i])]++;
        buffers += run_buffered(f->runs[i]);
    }
    seen_set(SEEN_BUFFERS, 0, (double)buffers);
    for (size_t s = 1; s < RUN_STATES; s++)
        seen_set(SEEN_RUNS, s - 1, (double)in_state[s]);
}

static bool holds_lease(const struct fleet *f)
{
    return f->ready && !f->muted && lease_holds(&f->lease, clock_boot_ms());
}

static void write_metrics(void *ctx, struct http_reply *out)
{
    const struct fleet *f = ctx;
    const struct producer *p = publish_hub_producer(f->hub);

    look_at_runs(f);
    seen_set(SEEN_SLOTS, 0, (double)f->slots.total);
    seen_set(SEEN_SLOTS_USED, 0,
             (double)(f->slots.running[LANE_INTERACTIVE] + f->slots.running[LANE_BATCH]));
    seen_flag(SEEN_KAFKA_UP, producer_is_up(p));
    seen_set(SEEN_KAFKA_RECORDS, 0, (double)producer_in_flight(p));
    seen_set(SEEN_KAFKA_BYTES, 0, (double)producer_queued_bytes(p));
    seen_flag(SEEN_LEDGER_UP, ledger_is_up(f->ledger));
    seen_flag(SEEN_LEASE, holds_lease(f));
    seen_flag(SEEN_SANDBOXES_UP, !sandbox_service_is_down(f->sandboxes));
    seen_flag(SEEN_DRAINING, f->stopping);
    seen_flag(SEEN_LEADS, f->leads);
    out->type = METRICS_CONTENT_TYPE;
    seen_write(&out->body);
}

/* That it is answered at all says that the loop turns. */
static void write_health(void *ctx, struct http_reply *out)
{
    (void)ctx;
    out->type = "application/json";
    buf_adds(&out->body, "{\"alive\":true}\n");
}

static void write_ready(void *ctx, struct http_reply *out)
{
    const struct fleet *f = ctx;
    const struct {
        bool is;
        const char *reason;
    } not_ready[] = {{!f->ready, "starting"},
                     {!ledger_is_up(f->ledger), "ledger_down"},
                     {f->ready && !holds_lease(f), "lease_lapsed"},
                     {!producer_is_up(publish_hub_producer(f->hub)), "kafka_down"},
                     {f->stopping, "draining"}};
    AUTO_BUF reasons = BUF_INIT(1024);

    for (size_t i = 0; i < COUNTOF(not_ready); i++)
        if (not_ready[i].is)
            buf_addf(&reasons, "%s\"%s\"", reasons.len > 0 ? "," : "", not_ready[i].reason);
    out->status = reasons.len > 0 ? 503 : 200;
    out->type = "application/json";
    buf_addf(&out->body, "{\"ready\":%s,\"worker\":\"%s\",\"reasons\":[%s]}\n",
             reasons.len > 0 ? "false" : "true", f->worker_id, reasons.p ? reasons.p : "");
}

/* --- life ---------------------------------------------------------------------- */

enum err_code fleet_open_pages(struct fleet *f, struct err *err)
{
    static const struct http_page pages[] = {
        {"/metrics", write_metrics}, {"/healthz", write_health}, {"/readyz", write_ready}};
    struct http_pages_opts opts = {.pages = pages, .n_pages = COUNTOF(pages), .ctx = f};
    char url[LISTEN_URL_ROOM];

    if (!f->set->metrics_listen)
        return ERR_OK;
    enum err_code rc =
        listen_open("--metrics-listen", f->set->metrics_listen, &opts.listen_fd, url, err);
    if (rc == ERR_OK)
        rc = http_pages_new(f->loop, &opts, &f->pages, err);
    if (rc != ERR_OK)
        return rc;
    f->delay = seen_delay_new(f->loop);
    f->holds = timer_new(f->loop, on_holds_timer, f);
    if (!f->delay || !f->holds)
        return err_set(err, ERR_NOMEM, "what is seen from outside");
    timer_start(f->holds, FLEET_KEEP_MS);
    log_event(LOG_INFO, "pages.listening", LF("url", url));
    return ERR_OK;
}

void fleet_close_pages(struct fleet *f)
{
    http_pages_free(f->pages);
    seen_delay_free(f->delay);
    timer_free(f->holds);
}

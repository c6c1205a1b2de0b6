/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/seen.h"

#include <string.h>

#include "common/http/listen.h"
#include "common/json/json.h"
#include "common/log.h"

#include "common/banned.h"

enum {
    SEEN_MADE,
    SEEN_ENDS, /* by enum seen_result */
    SEEN_TIME,
    SEEN_WAITING,
    SEEN_SENDING,
    SEEN_DATABASE_UP,
    SEEN_STOPPING,
    SEEN_METRICS
};

enum seen_result { RESULT_DELIVERED, RESULT_AGAIN, RESULT_GIVEN_UP, RESULT_GONE, RESULTS };

static const char *result_name(size_t i)
{
    return (const char *const[]){"delivered", "again", "given_up", "gone"}[i];
}

static const double time_bounds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 60};

#define NONE {{NULL, NULL, 0}}
#define ONE(name, f, n)                                                                            \
    {                                                                                              \
        {                                                                                          \
            name, f, n                                                                             \
        }                                                                                          \
    }

// clang-format off
static const struct metric table[SEEN_METRICS] = {
    [SEEN_MADE] = {"sandfleet_webhook_deliveries_total", "Deliveries that came to be.",
        METRIC_COUNTER, NONE, NULL, 0},
    [SEEN_ENDS] = {"sandfleet_webhook_tries_total", "Tries by how they went: given_up was a delivery's last one, gone was answered 410.",
        METRIC_COUNTER, ONE("result", result_name, RESULTS), NULL, 0},
    [SEEN_TIME] = {"sandfleet_webhook_try_seconds", "How long endpoints took to answer, or not to.",
        METRIC_HISTOGRAM, NONE, time_bounds, COUNTOF(time_bounds)},
    [SEEN_WAITING] = {"sandfleet_webhook_ends_waiting", "Ends of runs that were seen and that the sink has yet to pass.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_SENDING] = {"sandfleet_webhook_sending", "Deliveries under way.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_DATABASE_UP] = {"sandfleet_webhook_database_up", "1: Postgres answers.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_STOPPING] = {"sandfleet_webhook_draining", "1: it takes no more deliveries.",
        METRIC_GAUGE, NONE, NULL, 0},
};
// clang-format on

struct metrics *seen_new(void)
{
    return metrics_new(table, SEEN_METRICS);
}

void seen_made(struct metrics *m, int64_t rows)
{
    metrics_add(m, SEEN_MADE, 0, 0, (double)rows);
}

static enum seen_result result_of(const struct delivery *d, bool over)
{
    switch (d->verdict) {
    case VERDICT_DELIVERED:
        return RESULT_DELIVERED;
    case VERDICT_GONE:
        return RESULT_GONE;
    case VERDICT_AGAIN:
    case VERDICTS:
        break;
    }
    return over ? RESULT_GIVEN_UP : RESULT_AGAIN;
}

void seen_end(struct metrics *m, const struct delivery *d, bool over)
{
    metrics_add(m, SEEN_ENDS, result_of(d, over), 0, 1);
    metrics_observe(m, SEEN_TIME, 0, 0, (double)d->took_ms / 1000);
}

/* --- pages --------------------------------------------------------------------- */

static void write_metrics(void *ctx, struct http_reply *out)
{
    const struct seen_opts *o = ctx;
    struct seen_now now = {0};

    o->look(o->ctx, &now);
    metrics_set(o->metrics, SEEN_WAITING, 0, 0, (double)now.waiting);
    metrics_set(o->metrics, SEEN_SENDING, 0, 0, (double)now.sending);
    metrics_set(o->metrics, SEEN_DATABASE_UP, 0, 0, now.database_up);
    metrics_set(o->metrics, SEEN_STOPPING, 0, 0, now.stopping);
    out->type = METRICS_CONTENT_TYPE;
    metrics_write(o->metrics, &out->body);
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
    const struct seen_opts *o = ctx;
    struct seen_now now = {0};
    AUTO_BUF reasons = BUF_INIT(256);

    o->look(o->ctx, &now);
    const struct {
        bool is;
        const char *reason;
    } not_ready[] = {{!now.database_up, "database_down"},
                     {!now.kafka_started, "kafka_down"},
                     {now.stopping, "draining"}};
    for (size_t i = 0; i < COUNTOF(not_ready); i++)
        if (not_ready[i].is)
            buf_addf(&reasons, "%s\"%s\"", reasons.len > 0 ? "," : "", not_ready[i].reason);
    out->status = reasons.len > 0 ? 503 : 200;
    out->type = "application/json";
    buf_addf(&out->body, "{\"ready\":%s,\"reasons\":[%s]}\n", reasons.len > 0 ? "false" : "true",
             reasons.p ? reasons.p : "");
}

enum err_code seen_open(struct loop *l, const char *listen, const struct seen_opts *opts,
                        struct http_pages **out, struct err *err)
{
    static const struct http_page pages[] = {
        {"/metrics", write_metrics}, {"/healthz", write_health}, {"/readyz", write_ready}};
    struct http_pages_opts o = {.pages = pages, .n_pages = COUNTOF(pages)};
    char url[LISTEN_URL_ROOM];

    memcpy(&o.ctx, &opts, sizeof(opts)); /* the pages only read it */
    if (listen_open("--metrics-listen", listen, &o.listen_fd, url, err) != ERR_OK ||
        http_pages_new(l, &o, out, err) != ERR_OK)
        return err->code;
    log_event(LOG_INFO, "pages.listening", LF("url", url));
    return ERR_OK;
}

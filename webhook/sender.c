/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "webhook/delivery.h"
#include "webhook/seen.h"
#include "webhook/sql.h"

#include "common/banned.h"

enum { SWEEP_MS = 3600 * 1000 };

LIST_HEAD(deliveries, delivery);

struct sender {
    struct loop *loop;
    struct pg *pg;
    const struct sender_opts *opts;
    struct http *http;
    struct timer *poll, *sweep, *rest;
    struct deliveries sending, ended; /* ended: what is told of it is on its way to the database */
    size_t n;                         /* of both */
    bool up, taking, again, stopping;
};

static void rest_when_idle(struct sender *s)
{
    if (s->stopping && s->n == 0 && !s->taking)
        timer_start(s->rest, 0);
}

static void drop(struct sender *s, struct delivery *d)
{
    LIST_REMOVE(d, link);
    s->n--;
    delivery_free(d);
}

/* --- how it went ---------------------------------------------------------------------- */

static void log_end(const struct delivery *d, const char *outcome)
{
    bool fine = d->verdict == VERDICT_DELIVERED;

    log_event(fine || !outcome ? LOG_INFO : LOG_WARN,
              fine      ? "webhook.delivered"
              : outcome ? "webhook.given_up"
                        : "webhook.again",
              LF("tenant", d->tenant), LF("endpoint", d->name), LF("run", d->run_id),
              LF("attempt", d->attempt), LF_INT("status", d->status), LF_INT("ms", d->took_ms));
}

static void on_ended(void *ctx, PGresult *res, const struct err *e)
{
    struct delivery *d = ctx;
    struct sender *s = d->owner;

    fault_pass("end", "answered");
    if (e->code == ERR_CONFIG) {
        s->opts->failed(s->opts->ctx, e);
    } else if (e->code != ERR_OK) {
        log_event(LOG_WARN, "webhook.untold", LF("run", d->run_id), LF_ERR(e),
                  LF("next", "it is sent again when its lease is over"));
    } else if (PQntuples(res) == 0) {
        log_event(LOG_WARN, "webhook.late", LF("run", d->run_id), LF("endpoint", d->name),
                  LF("why", "its lease was over, and another process has it"));
    } else {
        log_end(d, pg_text(res, 0, END_OUTCOME));
        seen_end(s->opts->metrics, d, pg_text(res, 0, END_OUTCOME) != NULL);
    }
    drop(s, d);
    rest_when_idle(s);
    sender_poke(s);
}

struct texts { /* parameters; borrowed until the command is copied */
    char status[16], took[24], wait[24], lasts[24], asked[24];
};

static void fill(const struct sender *s, const struct delivery *d, struct texts *t)
{
    const struct settings *set = s->opts->set;
    const struct verdict_waits waits = {set->retry_base_ms, set->retry_cap_ms};
    int64_t wait = verdict_wait_ms(&waits, d->tries, d->retry_after_ms, randombytes_random());

    (void)snprintf(t->status, sizeof(t->status), "%d", d->status);
    (void)snprintf(t->took, sizeof(t->took), "%" PRId64, d->took_ms);
    (void)snprintf(t->wait, sizeof(t->wait), "%" PRId64, wait);
    (void)snprintf(t->lasts, sizeof(t->lasts), "%" PRId64, set->give_up_ms);
    (void)snprintf(t->asked, sizeof(t->asked), "%" PRId64, d->retry_after_ms);
}

/* Moves on to `ended`; what cannot be told is somebody's again when its lease is over. */
static void tell(struct delivery *d)
{
    struct sender *s = d->owner;
    struct texts t;
    struct err err = ERR_INIT;

    fault_pass("send", "answered");
    fill(s, d, &t);
    LIST_REMOVE(d, link);
    LIST_INSERT_HEAD(&s->ended, d, link);
    const struct pg_cmd cmd = {.sql = sql_end,
                               .keep = true,
                               .n = 11,
                               .v = {d->endpoint, d->run_id, d->state, d->attempt,
                                     d->status ? t.status : NULL, d->error[0] ? d->error : NULL,
                                     t.took, verdict_name(d->verdict), t.wait, t.lasts, t.asked}};
    if (s->up && pg_send(s->pg, &cmd, on_ended, d, &err) == ERR_OK)
        return;
    log_event(LOG_WARN, "webhook.untold", LF("run", d->run_id),
              LF("next", "it is sent again when its lease is over"));
    drop(s, d);
    rest_when_idle(s);
}

/* --- what is due ------------------------------------------------------------------------ */

static void start(struct sender *s, struct delivery *d)
{
    struct err err = ERR_INIT;

    fault_pass("take", "answered");
    d->owner = s;
    d->guard = &s->opts->set->guard;
    d->done = tell;
    LIST_INSERT_HEAD(&s->sending, d, link);
    s->n++;
    if (delivery_send(d, s->http, s->opts->set->timeout_ms, &err) != ERR_OK)
        tell(d);
}

static struct delivery *next(struct sender *s, const PGresult *res, int row)
{
    struct delivery *d = NULL;
    struct err err = ERR_INIT;

    if (delivery_new(res, row, clock_wall_ms() / 1000, &d, &err) != ERR_OK)
        s->opts->failed(s->opts->ctx, &err);
    return d;
}

static void sign(struct sender *s, struct delivery *d, const PGresult *res, int row)
{
    struct err err = ERR_INIT;

    if (delivery_sign(d, s->opts->keys, res, row, &err) != ERR_OK)
        log_event(LOG_WARN, "webhook.key_unusable", LF("tenant", d->tenant),
                  LF("endpoint", d->name), LF_ERR(&err));
}

static void start_all(struct sender *s, const PGresult *res)
{
    struct delivery *d = NULL;

    for (int row = 0; row < PQntuples(res); row++) {
        if (!d || !delivery_is(d, res, row)) {
            if (d)
                start(s, d);
            d = next(s, res, row);
        }
        if (!d)
            return;
        sign(s, d, res, row);
    }
    if (d)
        start(s, d);
}

static void on_taken(void *ctx, PGresult *res, const struct err *e)
{
    struct sender *s = ctx;
    bool again = s->again;

    s->taking = s->again = false;
    if (e->code == ERR_CONFIG || e->code == ERR_INVALID)
        s->opts->failed(s->opts->ctx, e);
    else if (e->code == ERR_OK)
        start_all(s, res);
    rest_when_idle(s);
    if (again)
        sender_poke(s);
}

void sender_poke(struct sender *s)
{
    const struct settings *set = s->opts->set;
    char room[24], each[24], lease[24];
    struct err ignored = ERR_INIT; /* the next look comes by itself */

    s->again = s->taking;
    if (s->taking || !s->up || s->stopping || s->n >= (size_t)set->concurrency)
        return;
    (void)snprintf(room, sizeof(room), "%" PRId64, set->concurrency - (int64_t)s->n);
    (void)snprintf(each, sizeof(each), "%" PRId64, set->per_endpoint);
    (void)snprintf(lease, sizeof(lease), "%" PRId64, set->lease_ms);
    const struct pg_cmd cmd = {.sql = sql_take, .keep = true, .n = 3, .v = {room, each, lease}};
    s->taking = pg_send(s->pg, &cmd, on_taken, s, &ignored) == ERR_OK;
}

static void on_poll(void *ctx)
{
    struct sender *s = ctx;

    timer_start(s->poll, s->opts->set->poll_ms);
    sender_poke(s);
}

/* --- old ones ----------------------------------------------------------------------------- */

static void on_swept(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx;
    if (e->code != ERR_OK)
        log_event(LOG_WARN, "webhook.not_swept", LF_ERR(e));
    else if (pg_int(res, 0, 0) + pg_int(res, 0, 1) > 0)
        log_event(LOG_INFO, "webhook.swept", LF_INT("deliveries", pg_int(res, 0, 0)),
                  LF_INT("keys", pg_int(res, 0, 1)));
}

static void on_sweep(void *ctx)
{
    struct sender *s = ctx;
    char keep[24];
    struct err ignored = ERR_INIT; /* the next hour */

    timer_start(s->sweep, SWEEP_MS);
    (void)snprintf(keep, sizeof(keep), "%" PRId64, s->opts->set->keep_ms);
    const struct pg_cmd cmd = {.sql = sql_sweep, .n = 1, .v = {keep}};
    if (s->up)
        (void)!pg_send(s->pg, &cmd, on_swept, s, &ignored);
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_rest(void *ctx)
{
    struct sender *s = ctx;

    s->opts->idle(s->opts->ctx);
}

void sender_up(struct sender *s, bool up)
{
    bool first = up && !timer_pending(s->sweep);

    s->up = up;
    s->taking = s->taking && up;
    if (first)
        timer_start(s->sweep, 0);
    sender_poke(s);
}

size_t sender_busy(const struct sender *s)
{
    return s->n;
}

void sender_stop(struct sender *s)
{
    s->stopping = true;
    timer_stop(s->poll);
    rest_when_idle(s);
}

enum err_code sender_new(struct loop *l, struct pg *pg, const struct sender_opts *opts,
                         struct sender **out, struct err *err)
{
    const struct http_opts http = {.ca_file = opts->set->ca_file, .proxy = ""};
    struct sender *s = calloc(1, sizeof(*s));

    *out = s;
    if (!s)
        return err_set(err, ERR_NOMEM, "the sender");
    s->loop = l;
    s->pg = pg;
    s->opts = opts;
    s->poll = timer_new(l, on_poll, s);
    s->sweep = timer_new(l, on_sweep, s);
    s->rest = timer_new(l, on_rest, s);
    if (!s->poll || !s->sweep || !s->rest)
        return err_set(err, ERR_NOMEM, "timers");
    timer_start(s->poll, opts->set->poll_ms);
    return http_new(l, &http, &s->http, err);
}

void sender_free(struct sender *s)
{
    struct delivery *d;

    if (!s)
        return;
    while ((d = LIST_FIRST(&s->sending)) || (d = LIST_FIRST(&s->ended)))
        drop(s, d);
    http_free(s->http);
    timer_free(s->poll);
    timer_free(s->sweep);
    timer_free(s->rest);
    free(s);
}

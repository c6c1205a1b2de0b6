/* SPDX-License-Identifier: Apache-2.0 */
/* Events at a steady rate, and when a reader saw each of them as a row. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg/pg.h"

#include "tests/bench/sink_bench.h"

#include "common/banned.h"

enum {
    TICK_MS = 1,
    WARM_MS = 1500, /* a fleet's connections do not begin with its events */
    LATE_MS = 10000 /* the last events have so long to become visible */
};

static struct {
    struct pg *pg;
    struct timer *tick;
    int64_t began_us, sent, seen, *sent_us, *late_us;
    bool asking, again;
} b;

/* --- follow: event i is line i / runs + 1 of run i % runs -------------------------- */

static void look(void);

static void on_rows(void *ctx, PGresult *res, const struct err *e)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    char id[UUID_TEXT];

    (void)ctx;
    must(e->code, e);
    for (int row = 0; row < PQntuples(res); row++)
        for (int64_t run = 0; run < bench.runs; run++) {
            if (strcmp(run_id(run, id), pg_text(res, row, 0)) != 0)
                continue;
            for (int64_t i = run; i < bench.events && i / bench.runs < pg_int(res, row, 1);
                 i += bench.runs)
                if (b.late_us[i] < 0) {
                    b.late_us[i] = now - b.sent_us[i];
                    b.seen++;
                }
        }
    b.asking = false;
    if (b.again)
        look();
}

/* As a reader would: told by the notification, it asks for what is new. */
static void look(void)
{
    struct err err = ERR_INIT;

    b.again = b.asking;
    if (b.asking)
        return;
    b.asking = true;
    must(pg_send(b.pg,
                 &(struct pg_cmd){
                     .sql = "SELECT run_id, (SELECT max(sequence) FROM fleet.events e"
                            " WHERE e.run_id = r.run_id) FROM fleet.runs r WHERE NOT ended"},
                 on_rows, NULL, &err),
         &err);
}

static void on_notify(void *ctx, const char *channel, const char *payload)
{
    (void)ctx;
    (void)channel;
    (void)payload;
    look();
}

static void on_tick(void *ctx)
{
    int64_t now = clock_us(CLOCK_MONOTONIC), due = (now - b.began_us) * bench.rate / 1000000;

    (void)ctx;
    if (b.began_us == 0) { /* connections are there, the partitions' positions are known */
        b.began_us = now;
        due = 0;
    }
    for (; b.sent < due && b.sent < bench.events; b.sent++) {
        b.sent_us[b.sent] = clock_us(CLOCK_MONOTONIC);
        produce_event(b.sent % bench.runs, b.sent / bench.runs + 1);
    }
    if (b.seen == bench.events ||
        now - b.began_us > (bench.events / bench.rate + LATE_MS / 1000) * 1000000)
        loop_stop(bench.loop);
    else
        timer_start(b.tick, TICK_MS);
}

static void on_listening(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx;
    (void)res;
    must(e->code, e);
    timer_start(b.tick, WARM_MS);
}

static void on_up(void *ctx)
{
    struct err err = ERR_INIT;

    (void)ctx;
    must(pg_send(b.pg, &(struct pg_cmd){.sql = "LISTEN fleet_runs"}, on_listening, NULL, &err),
         &err);
}

static int by_size(const void *x, const void *y)
{
    int64_t d = *(const int64_t *)x - *(const int64_t *)y;

    return (d > 0) - (d < 0);
}

void follow(void)
{
    struct err err = ERR_INIT;
    const struct pg_events ev = {.up = on_up, .notify = on_notify};
    size_t n = (size_t)bench.events;

    b.sent_us = calloc(n, sizeof(*b.sent_us));
    b.late_us = malloc(n * sizeof(*b.late_us));
    for (size_t i = 0; i < n; i++)
        b.late_us[i] = -1;
    events_open();
    for (int64_t run = 0; run < 2 * bench.runs; run++) /* the ones to come, and as many others */
        produce_event(bench.runs + run, 1);
    events_flush();
    b.tick = timer_new(bench.loop, on_tick, NULL);
    must(pg_new(bench.loop, &(struct pg_opts){.conninfo = bench.database, .name = "bench"}, &ev,
                NULL, &b.pg, &err),
         &err);
    loop_run(bench.loop);
    qsort(b.late_us, n, sizeof(*b.late_us), by_size);
    printf("{\"events\":%zu,\"seen\":%" PRId64
           ",\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           n, b.seen, (double)b.late_us[n / 2] / 1000, (double)b.late_us[n * 99 / 100] / 1000,
           (double)b.late_us[n - 1] / 1000);
    pg_free(b.pg);
    timer_free(b.tick);
    free(b.sent_us);
    free(b.late_us);
    events_close();
}

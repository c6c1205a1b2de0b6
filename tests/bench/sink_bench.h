/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bench.sink share. Whatever fails ends the program with a line. */
#ifndef SANDFLEET_TESTS_BENCH_SINK_BENCH_H
#define SANDFLEET_TESTS_BENCH_SINK_BENCH_H

#include <time.h>

#include "common/loop.h"
#include "common/option/option.h"
#include "schema/event.h"
#include "schema/topics.h"

struct bench {
    char *brokers, *database, *prefix, *rows, *table; /* options */
    int64_t events, runs, first_run, rate;
    bool help;
    struct loop *loop;
};
extern struct bench bench;

void must(enum err_code rc, const struct err *err);
int64_t clock_us(clockid_t clock);

/* sink_events.c: events as Claude prints them; event i of a run is its line i, from 1 */
void events_open(void); /* and a producer for them */
void events_close(void);
void events_flush(void); /* until Kafka has them all */
const char *run_id(int64_t run, char out[UUID_TEXT]);
void produce_request(int64_t run);
void produce_event(int64_t run, int64_t line);
void produce_row(int64_t run, int64_t line); /* what it becomes, flat, to bench.rows */

void follow(void); /* sink_follow.c */

#endif

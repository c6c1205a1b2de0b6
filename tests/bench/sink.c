/* SPDX-License-Identifier: Apache-2.0 */
/* The hands of ops/bench sink: fills topics, copies rows, follows what becomes visible.
 *
 *   bench.sink fill    run requests and events into our topics; with --rows TOPIC the rows
 *                      they become, flat, as a stock connector wants them, there instead
 *   bench.sink copy    standard input, a binary COPY, into --table by one COPY: the limit
 *   bench.sink follow  events at a steady --rate, and when a reader saw each as a row
 *
 * Each prints one line of JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "tests/bench/sink_bench.h"

#include "common/banned.h"

enum { READ_PIECE = 1 << 20 };

struct bench bench;

static void fill(void)
{
    events_open();
    for (int64_t run = 0; run < bench.runs && !bench.rows; run++)
        produce_request(run);
    for (int64_t i = 0; i < bench.events; i++)
        (bench.rows ? produce_row : produce_event)(i % bench.runs, i / bench.runs + 1);
    events_flush();
    events_close();
    printf("{\"events\":%" PRId64 ",\"requests\":%" PRId64 "}\n", bench.events,
           bench.rows ? 0 : bench.runs);
}

/* --- copy ------------------------------------------------------------------------- */

static void copy(void)
{
    struct buf rows = BUF_INIT((size_t)8 << 30), sql = BUF_INIT(1024);
    PGconn *c = PQconnectdb(bench.database);
    PGresult *res;
    int64_t wall, cpu;

    for (ssize_t n = 1; n > 0; buf_grew(&rows, (size_t)n)) {
        char *room = buf_room(&rows, READ_PIECE);

        n = room ? read(STDIN_FILENO, room, READ_PIECE) : -1;
        if (n < 0)
            exit(1);
    }
    buf_addf(&sql, "COPY %s FROM STDIN (FORMAT binary)", bench.table);
    wall = clock_us(CLOCK_MONOTONIC);
    cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    PQclear(PQexec(c, sql.p));
    for (size_t at = 0, n; at < rows.len; at += n) {
        n = rows.len - at < (64 << 10) ? rows.len - at : 64 << 10;
        if (PQputCopyData(c, rows.p + at, (int)n) != 1)
            break;
    }
    (void)PQputCopyEnd(c, NULL);
    res = PQgetResult(c);
    wall = clock_us(CLOCK_MONOTONIC) - wall;
    cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        fprintf(stderr, "bench.sink: %s", PQerrorMessage(c));
        exit(1);
    }
    printf("{\"rows\":%s,\"wall_us\":%" PRId64 ",\"cpu_us\":%" PRId64 ",\"bytes\":%zu}\n",
           PQcmdTuples(res), wall, cpu, rows.len);
    PQclear(res);
    PQfinish(c);
    buf_release(&rows);
    buf_release(&sql);
}

/* --- main -------------------------------------------------------------------------- */

#define AT(field) offsetof(struct bench, field)

// clang-format off
static const struct opt rows[] = {
    {.name = "brokers", .type = OPT_STRING, .at = AT(brokers), .help = "Kafka."},
    {.name = "database", .type = OPT_STRING, .at = AT(database), .help = "PostgreSQL."},
    {.name = "prefix", .type = OPT_STRING, .at = AT(prefix), .def = "sandfleet.", .help = "Of our topics."},
    {.name = "rows", .type = OPT_STRING, .at = AT(rows), .flags = OPT_NO_ENV, .help = "fill: a topic for flat rows."},
    {.name = "table", .type = OPT_STRING, .at = AT(table), .flags = OPT_NO_ENV, .help = "copy: the table and its columns."},
    {.name = "events", .type = OPT_INT, .at = AT(events), .def = "100000", .min = 1, .max = 100000000, .flags = OPT_NO_ENV, .help = "Events in all."},
    {.name = "runs", .type = OPT_INT, .at = AT(runs), .def = "200", .min = 1, .max = 1000000, .flags = OPT_NO_ENV, .help = "Runs that they belong to, in turn."},
    {.name = "first-run", .type = OPT_INT, .at = AT(first_run), .def = "1", .min = 1, .max = INT64_C(1) << 40, .flags = OPT_NO_ENV, .help = "Other runs than with another number."},
    {.name = "rate", .type = OPT_INT, .at = AT(rate), .def = "1000", .min = 1, .max = 1000000, .flags = OPT_NO_ENV, .help = "follow: events a second."},
    {.name = "help", .type = OPT_BOOL, .at = AT(help), .flags = OPT_NO_ENV, .help = "Prints this help."},
};
// clang-format on

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        void (*run)(void);
    } modes[] = {{"fill", fill}, {"copy", copy}, {"follow", follow}};
    struct err err = ERR_INIT;
    int n = 0, status = 2;

    must(option_parse(rows, COUNTOF(rows), &bench, argc, argv, &n, &err), &err);
    must(loop_new(&bench.loop, &err), &err);
    for (size_t i = 0; n == 1 && i < COUNTOF(modes); i++)
        if (strcmp(argv[1], modes[i].word) == 0) {
            modes[i].run();
            status = 0;
        }
    if (status)
        option_help(rows, COUNTOF(rows), stderr);
    loop_free(bench.loop);
    option_release(rows, COUNTOF(rows), &bench);
    return status;
}

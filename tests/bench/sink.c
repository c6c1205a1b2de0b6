/* SPDX-License-Identifier: Apache-2.0 */
/* The hands of ops/bench sink: fills topics, copies rows, follows what becomes visible.
 *
 *   bench.sink fill    run requests and events into our topics; with --rows TOPIC the rows
 *                      they become, flat, as a stock connector wants them, there instead
 *   bench.sink copy    standard input, a binary COPY, into --table by one COPY: the limit
 *   bench.sink follow  events at a steady --rate, and when a reader saw each as a row
 *
 * Each prints one line of JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "common/json.h"
#include "common/option.h"
#include "common/pg.h"
#include "schema/event.h"
#include "schema/topics.h"

#include "common/banned.h"

enum {
    TEXT_BYTES = 4 << 20,
    LEAST = 1000, /* of an event's text; what stands around it has 270 bytes */
    MOST = 1500,
    FLUSH_MS = 120000,
    READ_PIECE = 1 << 20,
    LINGER_MS = 5, /* the worker's */
    TICK_MS = 1,
    WARM_MS = 1500, /* a fleet's connections do not begin with its events */
    LATE_MS = 10000 /* the last events of `follow` have so long to become visible */
};

static struct settings {
    char *brokers, *database, *prefix, *rows, *table;
    int64_t events, runs, first_run, rate;
    bool help;
} opt;

static struct {
    struct loop *loop;
    struct producer *producer;
    struct topics topics;
    struct event_record record;
    struct buf row, data;
    char *text;
    int64_t created_ms, failed;
    /* follow */
    struct pg *pg;
    struct timer *tick;
    int64_t began_us, sent, seen, *sent_us, *late_us;
    bool asking, again;
} b;

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void must(enum err_code rc, const struct err *err)
{
    if (rc == ERR_OK)
        return;
    fprintf(stderr, "bench.sink: %s\n", err->msg);
    exit(1);
}

/* --- events as Claude prints them ------------------------------------------------ */

static const char *const words[] = {
    "the",   "test",     "fails",  "because", "a",       "handler", "returns", "before",
    "its",   "lock",     "is",     "freed",   "src/net", ".c:214",  "so",      "we",
    "move",  "it",       "behind", "commit",  "\\n",     "\\n\\n",  "`make`",  "\\\"ok\\\"",
    "naïve", "→",        "if",     "(rc",     "!=",      "0)",      "return",  "rc;",
    "\\t",   "warning:", "unused", "variable"};

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/* Text that lz4 shrinks to about half, as it does with what Claude prints: now and then a
 * word of the list, else letters by chance. */
static void make_text(void)
{
    struct buf text = BUF_INIT(TEXT_BYTES + 64);
    uint32_t seed = 7;

    while (text.len < TEXT_BYTES) {
        if (random_next(&seed) % 2)
            buf_adds(&text, words[random_next(&seed) % COUNTOF(words)]);
        else
            for (uint32_t n = 2 + random_next(&seed) % 7; n > 0; n--)
                buf_addc(&text, "etaoinsrhldcumf_pgwybv"[random_next(&seed) % 22]);
        buf_addc(&text, ' ');
    }
    b.text = buf_take(&text);
}

/* Another piece of it for each event, from space to space. */
static struct str text_of(uint32_t seed)
{
    size_t n = LEAST + random_next(&seed) % (MOST - LEAST), at;

    at = (random_next(&seed) << 8 ^ random_next(&seed)) % (TEXT_BYTES - 2 * MOST);
    at += strcspn(b.text + at, " ") + 1;
    n += strcspn(b.text + at + n, " ");
    return (struct str){b.text + at, n};
}

static const char *run_id(int64_t run, char out[UUID_TEXT])
{
    uint64_t mixed = (uint64_t)(opt.first_run + run) * UINT64_C(0x9e3779b97f4a7c15);

    snprintf(out, UUID_TEXT,
             "%08" PRIx64 "-%04" PRIx64 "-7%03" PRIx64 "-8%03" PRIx64 "-%012" PRIx64,
             (uint64_t)b.created_ms >> 16 & 0xffffffff, (uint64_t)b.created_ms & 0xffff,
             mixed >> 52, mixed >> 40 & 0xfff, mixed & 0xffffffffffff);
    return out;
}

static enum event_type type_of(int64_t line)
{
    return line % 5 == 3   ? EVENT_AGENT_TOOL_USE
           : line % 5 == 4 ? EVENT_AGENT_TOOL_RESULT
                           : EVENT_AGENT_MESSAGE;
}

static struct event event_of(const char *run, int64_t line)
{
    enum event_type type = type_of(line);
    struct str text =
        text_of((uint32_t)line * 7919 + (uint32_t)run[35] * 104729 + (uint32_t)run[34]);

    buf_clear(&b.data);
    buf_addf(&b.data,
             "{\"native\":{\"type\":\"assistant\",\"message\":{\"id\":\"msg_%08" PRIx64
             "\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":"
             "[{\"type\":\"text\",\"text\":\"" STR_FMT "\"}],\"usage\":{\"input_tokens\":%" PRId64
             ",\"output_tokens\":%" PRId64 "}},\"session_id\":\"%s\"}}",
             (uint64_t)line * 2654435761U, STR_ARG(text), 900 + line, 40 + line % 97, run);
    return (struct event){.type = type,
                          .attempt = 1,
                          .epoch = 1,
                          .n = line,
                          .offset = line * 1500,
                          .time_ms = b.created_ms + line * 20,
                          .data = buf_str(&b.data),
                          .tool = type == EVENT_AGENT_TOOL_USE ? STR("Bash") : (struct str){0},
                          .model = STR("claude-sonnet-4-5"),
                          .input_tokens = 900 + line,
                          .output_tokens = 40 + line % 97};
}

/* --- out ------------------------------------------------------------------------- */

static void on_produced(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    (void)ctx;
    (void)partition;
    (void)offset;
    b.failed += e->code != ERR_OK;
}

static void produce(const char *topic, const char *key, struct str value,
                    const struct kafka_header *headers, size_t n)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    while ((rc = producer_send(b.producer, topic, str_of(key), value, headers, n, on_produced, NULL,
                               &err)) == ERR_THROTTLED)
        (void)producer_flush(b.producer, FLUSH_MS);
    must(rc, &err);
}

static void produce_event(int64_t run, int64_t line)
{
    char id[UUID_TEXT];
    struct event_run about = {.tenant = "acme",
                              .run_id = run_id(run, id),
                              .batch_id = "bench",
                              .created_ms = b.created_ms};
    struct event e = event_of(id, line);
    struct err err = ERR_INIT;

    must(event_write(&about, &e, &b.record, &err), &err);
    produce(b.topics.name[TOPIC_EVENTS], id, buf_str(&b.record.value), b.record.headers,
            b.record.n_headers);
}

/* The row that the event becomes; numbers of time as Connect's logical types count. */
static void produce_row(int64_t run, int64_t line)
{
    char id[UUID_TEXT];
    struct event e = event_of(run_id(run, id), line);

    buf_clear(&b.row);
    buf_addf(&b.row,
             "{\"run_id\":\"%s\",\"run_day\":%" PRId64 ",\"sequence\":%" PRId64
             ",\"attempt\":1,\"epoch\":1,\"line\":%" PRId64 ",\"log_offset\":%" PRId64
             ",\"type\":\"%s\",\"time\":%" PRId64 ",\"tenant\":\"acme\",\"tool\":%s,"
             "\"model\":\"claude-sonnet-4-5\",\"input_tokens\":%" PRId64
             ",\"output_tokens\":%" PRId64 ",\"cost_usd\":null,\"data\":",
             id, b.created_ms / 86400000, line, line, e.offset, event_type_name(e.type), e.time_ms,
             e.tool.n ? "\"Bash\"" : "null", e.input_tokens, e.output_tokens);
    json_put_string(&b.row, e.data);
    buf_addc(&b.row, '}');
    produce(opt.rows, id, buf_str(&b.row), NULL, 0);
}

static void produce_request(int64_t run)
{
    char id[UUID_TEXT], json[512];

    snprintf(json, sizeof(json),
             "{\"v\":1,\"run_id\":\"%s\",\"tenant\":\"acme\",\"batch_id\":\"bench\","
             "\"created_at\":\"2026-11-21T00:00:00Z\",\"prompt\":\"make the tests pass\"}",
             run_id(run, id));
    produce(b.topics.name[TOPIC_BATCH], id, str_of(json), NULL, 0);
}

static void open_producer(void)
{
    struct err err = ERR_INIT;
    const struct kafka_conf conf = {.brokers = opt.brokers, .client_id = "bench"};
    const struct producer_opts how = {.linger_ms = LINGER_MS};

    must(topics_load(opt.prefix, &b.topics, &err), &err);
    must(producer_new(b.loop, &conf, &how, &b.producer, &err), &err);
}

static void flush(void)
{
    if (producer_flush(b.producer, FLUSH_MS) && b.failed == 0)
        return;
    fprintf(stderr, "bench.sink: %" PRId64 " records were refused, or Kafka is gone\n", b.failed);
    exit(1);
}

static void fill(void)
{
    open_producer();
    for (int64_t run = 0; run < opt.runs && !opt.rows; run++)
        produce_request(run);
    for (int64_t i = 0; i < opt.events; i++)
        (opt.rows ? produce_row : produce_event)(i % opt.runs, i / opt.runs + 1);
    flush();
    printf("{\"events\":%" PRId64 ",\"requests\":%" PRId64 "}\n", opt.events,
           opt.rows ? 0 : opt.runs);
}

/* --- copy ------------------------------------------------------------------------- */

static void copy(void)
{
    struct buf rows = BUF_INIT((size_t)8 << 30), sql = BUF_INIT(1024);
    PGconn *c = PQconnectdb(opt.database);
    PGresult *res;
    int64_t wall, cpu;

    for (ssize_t n = 1; n > 0; buf_grew(&rows, (size_t)n)) {
        char *room = buf_room(&rows, READ_PIECE);

        n = room ? read(STDIN_FILENO, room, READ_PIECE) : -1;
        if (n < 0)
            exit(1);
    }
    buf_addf(&sql, "COPY %s FROM STDIN (FORMAT binary)", opt.table);
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

/* --- follow: event i is line i / runs + 1 of run i % runs -------------------------- */

static void look(void);

static void on_rows(void *ctx, PGresult *res, const struct err *e)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    char id[UUID_TEXT];

    (void)ctx;
    must(e->code, e);
    for (int row = 0; row < PQntuples(res); row++)
        for (int64_t run = 0; run < opt.runs; run++) {
            if (strcmp(run_id(run, id), pg_text(res, row, 0)) != 0)
                continue;
            for (int64_t i = run; i < opt.events && i / opt.runs < pg_int(res, row, 1);
                 i += opt.runs)
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
    int64_t now = clock_us(CLOCK_MONOTONIC), due = (now - b.began_us) * opt.rate / 1000000;

    (void)ctx;
    if (b.began_us == 0) { /* connections are there, the partitions' positions are known */
        b.began_us = now;
        due = 0;
    }
    for (; b.sent < due && b.sent < opt.events; b.sent++) {
        b.sent_us[b.sent] = clock_us(CLOCK_MONOTONIC);
        produce_event(b.sent % opt.runs, b.sent / opt.runs + 1);
    }
    if (b.seen == opt.events ||
        now - b.began_us > (opt.events / opt.rate + LATE_MS / 1000) * 1000000)
        loop_stop(b.loop);
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

static void follow(void)
{
    struct err err = ERR_INIT;
    const struct pg_events ev = {.up = on_up, .notify = on_notify};
    size_t n = (size_t)opt.events;

    b.sent_us = calloc(n, sizeof(*b.sent_us));
    b.late_us = malloc(n * sizeof(*b.late_us));
    for (size_t i = 0; i < n; i++)
        b.late_us[i] = -1;
    open_producer();
    for (int64_t run = 0; run < 2 * opt.runs; run++) /* the ones to come, and as many others */
        produce_event(opt.runs + run, 1);
    flush();
    b.tick = timer_new(b.loop, on_tick, NULL);
    must(pg_new(b.loop, &(struct pg_opts){.conninfo = opt.database, .name = "bench"}, &ev, NULL,
                &b.pg, &err),
         &err);
    loop_run(b.loop);
    qsort(b.late_us, n, sizeof(*b.late_us), by_size);
    printf("{\"events\":%zu,\"seen\":%" PRId64
           ",\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           n, b.seen, (double)b.late_us[n / 2] / 1000, (double)b.late_us[n * 99 / 100] / 1000,
           (double)b.late_us[n - 1] / 1000);
    pg_free(b.pg);
    timer_free(b.tick);
    free(b.sent_us);
    free(b.late_us);
}

/* --- main -------------------------------------------------------------------------- */

#define AT(field) offsetof(struct settings, field)

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

    must(option_parse(rows, COUNTOF(rows), &opt, argc, argv, &n, &err), &err);
    must(loop_new(&b.loop, &err), &err);
    event_record_init(&b.record);
    b.row = b.data = BUF_INIT(1 << 20);
    b.created_ms = clock_us(CLOCK_REALTIME) / 86400000000 * 86400000;
    make_text();
    for (size_t i = 0; n == 1 && i < COUNTOF(modes); i++)
        if (strcmp(argv[1], modes[i].word) == 0) {
            modes[i].run();
            status = 0;
        }
    if (status)
        option_help(rows, COUNTOF(rows), stderr);
    producer_free(b.producer);
    loop_free(b.loop);
    topics_release(&b.topics);
    event_record_release(&b.record);
    buf_release(&b.row);
    buf_release(&b.data);
    free(b.text);
    option_release(rows, COUNTOF(rows), &opt);
    return status;
}

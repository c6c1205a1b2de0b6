/* SPDX-License-Identifier: Apache-2.0 */
/* Promises of GET /v1/runs/{id}/events: whoever reads, by pages or live, cut off as often as it
 * likes, sees each event of the run once and in order, and its end. A reader that does not keep up
 * costs the others nothing. Lost notifications and connections lose nothing. SIGTERM says to come
 * back, and is no end of the run.
 * Proof: a real sink fills the tables; what readers get is compared with 1, 2, 3 … */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/api/reader.h"

#include "common/banned.h"

#define RUN       "01990000-0000-7000-8000-00000000000a"
#define NOBODY    "01990000-0000-7000-8000-0000000000ff"
#define COMPLETED "{\"state\":\"completed\",\"outcome\":\"success\"}"
#define END       "{\"run_id\":\"" RUN "\",\"state\":\"completed\",\"outcome\":\"success\"}"

enum { SMALL = 16 << 10 }; /* what the system keeps for a reader that does not read */

static void lines(struct lab *lab, const char *run, int64_t from, int64_t to)
{
    for (int64_t n = from; n <= to; n++)
        lab_line(lab, run, 1, 1, n);
    lab_flush(lab);
}

/* The same, each of so many bytes. */
static void fat_lines(struct lab *lab, int64_t from, int64_t to, size_t bytes)
{
    struct buf data = BUF_INIT(1 << 20);

    buf_adds(&data, "{\"text\":\"");
    for (size_t i = 0; i < bytes; i++)
        buf_addc(&data, 'x');
    buf_adds(&data, "\"}");
    for (int64_t n = from; n <= to; n++)
        lab_event(lab, RUN,
                  (struct event){.type = EVENT_AGENT_TEXT,
                                 .attempt = 1,
                                 .epoch = 1,
                                 .n = n,
                                 .offset = n,
                                 .data = buf_str(&data)});
    buf_release(&data);
    lab_flush(lab);
}

static void finish(struct lab *lab, const char *run)
{
    lab_control(lab, run, EVENT_RUN_COMPLETED, 1, 1, 1, COMPLETED);
    lab_flush(lab);
}

static void await_events(struct lab *lab, int64_t n)
{
    lab_await(lab, "SELECT sequence FROM fleet.runs WHERE run_id = '" RUN "'", n);
}

/* A run with n lines is there. */
static void begin(struct lab *lab, struct door *d, int64_t n, const char *const *args)
{
    LAB_SINK(lab, 0);
    door_start(d, lab, args);
    lab_request(lab, TOPIC_INTERACTIVE, RUN, "");
    lines(lab, RUN, 1, n);
    lab_await(lab, "SELECT count(*) FROM fleet.runs WHERE created_at IS NOT NULL", 1);
    if (n)
        await_events(lab, n);
}

static int page(const struct door *d, const char *query, struct buf *body)
{
    char path[256];

    snprintf(path, sizeof(path), "/v1/runs/" RUN "/events%s", query);
    int64_t until = clock_boot_ms() + READER_WAIT_MS;
    int status;

    while ((status = door_ask(d, "GET", path, "", body)) == 503 && clock_boot_ms() < until)
        lab_nap(); /* as the contract has it */
    return status;
}

static int64_t number(const struct buf *json, const char *key)
{
    const char *at = strstr(json->p, key);

    if (!at)
        fail_msg("no %s in %s", key, json->p);
    return strtoll(at + strlen(key) + 2, NULL, 10);
}

/* --- reading -------------------------------------------------------------------------------- */

static void pages_follow_one_another(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct buf body = BUF_INIT(READER_MAX);
    char query[64];
    int64_t since = 0, pages = 0;

    begin(lab, &d, 25, NULL);
    do {
        snprintf(query, sizeof(query), "?limit=10&since=%lld", (long long)since);
        assert_int_equal(page(&d, query, &body), 200);
        for (int64_t i = since + 1; i <= since + 10 && i <= 25; i++) {
            char want[64];
            snprintf(want, sizeof(want), "{\"sequence\":%lld,", (long long)i);
            assert_non_null(strstr(body.p, want));
        }
        since = number(&body, "nextSequence");
        pages++;
    } while (strstr(body.p, "\"hasMore\":true"));
    assert_int_equal(pages, 3);
    assert_int_equal(since, 25);
    assert_non_null(strstr(body.p, "\"ended\":false"));
    assert_non_null(strstr(body.p, "\"type\":\"sandfleet.agent.text\",\"time\":\"2026-11-2"));
    finish(lab, RUN);
    await_events(lab, 26);
    assert_int_equal(page(&d, "?types=sandfleet.run.*", &body), 200);
    assert_int_equal(number(&body, "\"sequence"), 26);
    assert_int_equal(number(&body, "nextSequence"), 26);
    assert_non_null(strstr(body.p, "\"hasMore\":false,\"ended\":true"));
    assert_int_equal(page(&d, "?types=sandfleet.none&since=3", &body), 200);
    assert_non_null(strstr(body.p, "\"events\":[],\"nextSequence\":26,"));
    assert_int_equal(door_ask(&d, "GET", "/v1/runs/" NOBODY "/events", "", &body), 404);
    assert_int_equal(
        door_ask(&d, "GET", "/v1/runs/" NOBODY "/events", "Accept: text/event-stream\r\n", &body),
        404);
    assert_int_equal(door_ask(&d, "GET", "/v1/runs/" RUN "/events", "Accept: text/html\r\n", &body),
                     406);
    assert_int_equal(door_ask(&d, "GET", "/v1/runs/" RUN "/events",
                              "Accept: text/html\r\nAccept: application/json\r\n", &body),
                     200); /* two lines of a list are one */
    buf_release(&body);
    door_stop(&d);
}

/* Lines of a megabyte: a page is cut by its bytes, not only by its rows. */
static void big_events_are_paged_by_bytes(void **state)
{
    enum { BIG = 700000, N = 12 };
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    struct buf body = BUF_INIT(READER_MAX);

    begin(lab, &d, 0, NULL);
    fat_lines(lab, 1, N, BIG);
    finish(lab, RUN);
    await_events(lab, N + 1);
    assert_int_equal(page(&d, "?limit=1000", &body), 200);
    assert_non_null(strstr(body.p, "\"hasMore\":true"));
    assert_in_range(number(&body, "nextSequence"), 4, 7);
    reader_open(&r, &d, RUN, "", -1);
    reader_expect(&r, 1, N + 1);
    reader_expect_end(&r, END);
    reader_close(&r);
    buf_release(&body);
    door_stop(&d);
}

static void a_stream_resumes_without_gap_or_repeat(void **state)
{
    enum { N = 3000 };
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    struct message m;
    int64_t sent = 10, id = 0;
    unsigned cuts = 0;

    begin(lab, &d, sent, NULL);
    reader_open(&r, &d, RUN, "", -1);
    while (id < N) {
        if (sent < N && id > sent - 20) {
            lines(lab, RUN, sent + 1, sent + 25);
            sent += 25;
            if (sent >= N)
                finish(lab, RUN);
        }
        assert_true(reader_event(&r, &m));
        assert_int_equal(m.id, id + 1);
        id = m.id;
        if (id % 97 != 0)
            continue;
        cuts++; /* with events in flight: what was not taken comes again, and once */
        reader_close(&r);
        reader_open(&r, &d, RUN, cuts % 2 ? "?since=5" : "", id);
    }
    reader_expect(&r, N + 1, sent + 1);
    reader_expect_end(&r, END);
    reader_close(&r);
    reader_open(&r, &d, RUN, "", sent + 1); /* a run that ended, all of it known */
    reader_expect_end(&r, END);
    reader_close(&r);
    door_stop(&d);
}

static void types_are_chosen(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    struct message m;

    begin(lab, &d, 300, NULL);
    reader_open(&r, &d, RUN, "?types=sandfleet.run.*,sandfleet.attempt.starting", -1);
    lab_control(lab, RUN, EVENT_ATTEMPT_STARTING, 1, 2, 1, "{\"worker\":\"w\"}");
    lab_flush(lab);
    assert_true(reader_event(&r, &m));
    assert_int_equal(m.id, 301);
    for (int64_t n = 301; n <= 310; n++)
        lab_line(lab, RUN, 1, 2, n);
    lab_control(lab, RUN, EVENT_RUN_COMPLETED, 1, 2, 2, COMPLETED);
    lab_flush(lab);
    assert_true(reader_event(&r, &m));
    assert_int_equal(m.id, 312);
    reader_expect_end(&r, END);
    reader_close(&r);
    door_stop(&d);
}

/* As an answer of that kind has no length, a client must be told so, or get none of it. */
static void a_head_is_answered_as_a_get_would_be(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct buf body = BUF_INIT(READER_MAX);

    begin(lab, &d, 3, NULL);
    assert_int_equal(door_ask(&d, "HEAD", "/v1/runs/" RUN "/events", "", &body), 200);
    assert_int_equal(body.len, 1);
    assert_int_equal(
        door_ask(&d, "HEAD", "/v1/runs/" RUN "/events", "Accept: text/event-stream\r\n", &body),
        200);
    assert_int_equal(body.len, 1);
    buf_release(&body);
    door_stop(&d);
}

/* --- many ------------------------------------------------------------------------------------- */

static void all_readers_of_many_runs_get_theirs(void **state)
{
    enum { RUNS = 300, READERS = 2, N = 20 }; /* one commit's runs take several notifications */
    struct lab *lab = *state;
    static struct reader r[RUNS * READERS];
    char run[UUID_TEXT];
    struct door d;

    LAB_SINK(lab, 0, "--batch-age", "50ms");
    DOOR(&d, lab);
    for (unsigned i = 0; i < RUNS; i++)
        lab_request(lab, TOPIC_BATCH, lab_run(i, run), "");
    lab_flush(lab);
    lab_await(lab, "SELECT count(*) FROM fleet.runs", RUNS);
    for (unsigned i = 0; i < RUNS * READERS; i++)
        reader_open(&r[i], &d, lab_run(i / READERS, run), "", -1);
    for (int64_t n = 1; n <= N; n++)
        for (unsigned i = 0; i < RUNS; i++)
            lab_line(lab, lab_run(i, run), 1, 1, n);
    for (unsigned i = 0; i < RUNS; i++)
        lab_control(lab, lab_run(i, run), EVENT_RUN_COMPLETED, 1, 1, 1, COMPLETED);
    lab_flush(lab);
    for (unsigned i = 0; i < RUNS * READERS; i++) {
        reader_expect(&r[i], 1, N + 1);
        reader_expect_end(&r[i], NULL);
        reader_close(&r[i]);
    }
    door_stop(&d);
}

static int64_t resident_kib(const struct door *d)
{
    char path[64], line[256];
    int64_t kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)d->pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoll(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

/* 40 MB for each of some readers that take nothing; one that does has them at once, the memory
 * stays, and those that go on have all of it, too. */
static void a_slow_reader_harms_itself(void **state)
{
    enum { SLOW = 10, N = 2001, BYTES = 20000 };
    struct lab *lab = *state;
    struct door d;
    struct reader slow[SLOW], quick;
    int64_t before;
    const char *const args[] = {"--heartbeat", "10m", NULL}; /* or they are cut */

    begin(lab, &d, 1, args);
    d.rcvbuf = SMALL;
    for (size_t i = 0; i < SLOW; i++)
        reader_open(&slow[i], &d, RUN, "", -1);
    d.rcvbuf = 0;
    reader_open(&quick, &d, RUN, "", -1);
    reader_expect(&quick, 1, 1);
    before = resident_kib(&d);
    for (int64_t n = 2; n <= N; n += 100) {
        fat_lines(lab, n, n + 99, BYTES);
        reader_expect(&quick, n, n + 99);
    }
    finish(lab, RUN);
    reader_expect(&quick, N + 1, N + 1);
    reader_expect_end(&quick, END);
    reader_close(&quick);
    int64_t grown = resident_kib(&d) - before;
    if (grown > 24 << 10 &&
        !strstr(getenv("SANDFLEET_BIN"), "asan")) /* which keeps what was freed */
        fail_msg("%lld KiB for %d slow readers", (long long)grown, SLOW);
    for (size_t i = 0; i < SLOW; i++) {
        reader_expect(&slow[i], 1, N + 1);
        reader_expect_end(&slow[i], END);
        reader_close(&slow[i]);
    }
    door_stop(&d);
}

/* B073 */
static void who_takes_nothing_is_cut(void **state)
{
    enum { N = 2000, BYTES = 20000 };
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    struct message m;
    const char *const args[] = {"--heartbeat", "200ms", NULL};

    begin(lab, &d, 1, args);
    d.rcvbuf = SMALL;
    reader_open(&r, &d, RUN, "", 1);
    for (int beats = 0; beats < 3; beats += m.comment) /* nothing to tell, and it lives */
        assert_true(reader_next(&r, &m));
    fat_lines(lab, 2, N, BYTES);
    snprintf(lab->log + strlen(lab->log), sizeof(lab->log) - strlen(lab->log), ".api");
    lab_await_log(lab, "event=api.stream_cut");
    while (reader_event(&r, &m))
        continue;
    assert_false(r.ended);
    assert_true(r.last_id < N);
    reader_close(&r);
    door_stop(&d);
}

/* --- trouble -----------------------------------------------------------------------------------
 */

#define FEED "application_name = 'sandfleet-api-feed' AND datname = current_database()"

static void a_lost_connection_loses_nothing(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    int64_t n = 5;

    begin(lab, &d, n, NULL);
    reader_open(&r, &d, RUN, "", -1);
    reader_expect(&r, 1, n);
    for (int i = 0; i < 5; i++) {
        lab_do(lab, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " FEED);
        lines(lab, RUN, n + 1, n + 10);
        reader_expect(&r, n + 1, n + 10);
        n += 10;
        lab_await(lab, "SELECT count(*) FROM pg_stat_activity WHERE " FEED, 1);
    }
    lab_do(lab, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'sandfleet-api%' AND datname = current_database()");
    finish(lab, RUN);
    reader_expect(&r, n + 1, n + 1);
    reader_expect_end(&r, END);
    reader_close(&r);
    door_stop(&d);
}

/* A commit of which nobody was told is found by looking. */
static void a_lost_notification_costs_time_only(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct reader r;

    begin(lab, &d, 3, NULL);
    reader_open(&r, &d, RUN, "", -1);
    reader_expect(&r, 1, 3);
    lab_stop(lab, 0);
    lab_do(lab, "BEGIN; INSERT INTO fleet.events SELECT (e).* FROM (SELECT json_populate_record(e,"
                " '{\"sequence\":4}') AS e FROM fleet.events AS e WHERE sequence = 3) AS t;"
                " UPDATE fleet.runs SET sequence = 4; COMMIT");
    reader_expect(&r, 4, 4);
    reader_close(&r);
    door_stop(&d);
}

/* --- waiting
 * -------------------------------------------------------------------------------------- */

static void waiting_ends_with_the_run(void **state)
{
    struct lab *lab = *state;
    struct door d;
    struct reader wait_event, wait_type;
    struct buf body = BUF_INIT(READER_MAX);
    int64_t begun;

    begin(lab, &d, 3, NULL);
    begun = clock_boot_ms();
    assert_int_equal(page(&d, "?since=3&wait=1", &body), 200);
    assert_in_range(clock_boot_ms() - begun, 950, 10000);
    assert_non_null(strstr(body.p, "\"events\":[],\"nextSequence\":3,"));
    assert_int_equal(page(&d, "?since=2&wait=60", &body), 200); /* there is something already */
    reader_send(&wait_event, d.port,
                "GET /v1/runs/" RUN "/events?since=3&wait=60 HTTP/1.1\r\nHost: t\r\n\r\n", 0);
    reader_send(&wait_type, d.port,
                "GET /v1/runs/" RUN "/events?since=3&types=sandfleet.run.*&wait=60 HTTP/1.1\r\n"
                "Host: t\r\n\r\n",
                0);
    lines(lab, RUN, 4, 4);
    reader_head(&wait_event);
    assert_int_equal(wait_event.status, 200);
    lines(lab, RUN, 5, 6);
    await_events(lab, 6);
    assert_false(reader_more(&wait_type, 200));
    finish(lab, RUN);
    reader_head(&wait_type);
    assert_int_equal(wait_type.status, 200);
    reader_unchunk(&wait_type);
    assert_non_null(
        strstr(wait_type.body.p, "\"nextSequence\":7,\"hasMore\":false,\"ended\":true"));
    begun = clock_boot_ms();
    assert_int_equal(page(&d, "?since=7&wait=60", &body), 200); /* nothing will come any more */
    assert_true(clock_boot_ms() - begun < 30000);
    reader_close(&wait_event);
    reader_close(&wait_type);
    buf_release(&body);
    door_stop(&d);
}

/* --- stopping
 * --------------------------------------------------------------------------------------- */

static void a_stop_asks_readers_to_come_back(void **state)
{
    enum { READERS = 20 };
    struct lab *lab = *state;
    struct door d;
    struct reader r[READERS], waiting;
    struct message m;

    begin(lab, &d, 3, NULL);
    for (size_t i = 0; i < READERS; i++) {
        reader_open(&r[i], &d, RUN, "", -1);
        reader_expect(&r[i], 1, 3);
    }
    reader_send(&waiting, d.port,
                "GET /v1/runs/" RUN "/events?since=3&wait=60 HTTP/1.1\r\nHost: t\r\n\r\n", 0);
    assert_false(reader_more(&waiting, 100));
    kill(d.pid, SIGTERM);
    for (size_t i = 0; i < READERS; i++) {
        int64_t retry = -1;

        while (reader_next(&r[i], &m)) {
            assert_string_equal(m.event, "");
            retry = m.retry > retry ? m.retry : retry;
        }
        assert_true(r[i].ended);
        assert_in_range(retry, 1, 10000);
        reader_close(&r[i]);
    }
    reader_head(&waiting);
    assert_int_equal(waiting.status, 200);
    reader_close(&waiting);
    assert_int_equal(door_wait(&d), 0);
}

/* One whose reader takes nothing would keep it for as long as --drain says. */
static void a_second_stop_is_now(void **state)
{
    enum { N = 1000, BYTES = 20000 };
    struct lab *lab = *state;
    struct door d;
    struct reader r;
    const char *const args[] = {"--drain", "10m", NULL};

    begin(lab, &d, 1, args);
    fat_lines(lab, 2, N, BYTES);
    await_events(lab, N);
    d.rcvbuf = SMALL;
    reader_open(&r, &d, RUN, "", -1);
    lab_nap();
    kill(d.pid, SIGTERM);
    for (int i = 0; i < 30; i++)
        lab_nap();
    assert_int_equal(waitpid(d.pid, NULL, WNOHANG), 0);
    kill(d.pid, SIGTERM);
    assert_int_equal(door_wait(&d), 0);
    reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(pages_follow_one_another),
        LAB_TEST(big_events_are_paged_by_bytes),
        LAB_TEST(a_stream_resumes_without_gap_or_repeat),
        LAB_TEST(types_are_chosen),
        LAB_TEST(a_head_is_answered_as_a_get_would_be),
        LAB_TEST(all_readers_of_many_runs_get_theirs),
        LAB_TEST(a_slow_reader_harms_itself),
        LAB_TEST(who_takes_nothing_is_cut),
        LAB_TEST(a_lost_connection_loses_nothing),
        LAB_TEST(a_lost_notification_costs_time_only),
        LAB_TEST(waiting_ends_with_the_run),
        LAB_TEST(a_stop_asks_readers_to_come_back),
        LAB_TEST(a_second_stop_is_now),
    };

    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}

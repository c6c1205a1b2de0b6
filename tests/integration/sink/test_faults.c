/* SPDX-License-Identifier: Apache-2.0 */
/* The right rows at the end, whatever happens in the middle of a batch: the database
 * refuses for each reason that passes, is read only or locked for a while; a record is as large as
 * records get, is from a newer schema, or is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/sink/story.h"

#include "common/banned.h"

/* --- a database that says no ------------------------------------------------------------ */

/* Raised by the first rows; a sequence does not roll back, so it is a count. */
static const char *const passing[] = {
    "53100" /* disk full */,      "53200" /* out of memory */, "53300" /* too many connections */,
    "55P03" /* lock timeout */,   "40001" /* serialization */, "40P01" /* deadlock */,
    "25006" /* read only */,      "57P03" /* starting up */,   "57014" /* statement timeout */,
    "58030" /* its disk fails */, "XX000" /* its bug */,
};

/* What a session had is gone, as behind a pooler that cleans up. */
static void session_emptied(void **state)
{
    struct lab *lab = *state;

    lab_do(lab, "CREATE FUNCTION public.empty() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " EXECUTE 'DEALLOCATE ALL'; RETURN NEW; END $$;"
                "CREATE TRIGGER empty BEFORE INSERT ON fleet.events FOR EACH STATEMENT"
                " WHEN (current_setting('application_name') = 'sandfleet-sink')"
                " EXECUTE FUNCTION public.empty()");
    produce(lab);
    LAB_SINK(lab, 0, SOON);
    lab_await_log(lab, "26000");
    lab_do(lab, "DROP TRIGGER empty ON fleet.events");
    check(lab);
    lab_stop(lab, 0);
}

static void refuses_for_a_while(void **state)
{
    struct lab *lab = *state;
    char sql[512], want[32];
    int64_t times = 0;

    produce(lab);
    lab_do(lab, "CREATE SEQUENCE public.refusals MINVALUE 0;"
                " GRANT ALL ON SEQUENCE public.refusals TO PUBLIC");
    for (size_t i = 0; i < COUNTOF(passing); i++) {
        snprintf(sql, sizeof(sql),
                 "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$ BEGIN"
                 " IF nextval('public.refusals') < 2 THEN"
                 " RAISE EXCEPTION 'not now' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$",
                 passing[i]);
        lab_clear(lab);
        lab_do(lab, "ALTER SEQUENCE public.refusals RESTART WITH 0");
        lab_do(lab, sql);
        lab_do(lab, "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON fleet.events"
                    " FOR EACH ROW EXECUTE FUNCTION public.refuse()");
        LAB_SINK(lab, 0, SOON);
        check(lab);
        times += lab_int(lab, "SELECT least(last_value, 2) FROM public.refusals");
        lab_stop(lab, 0);
    }
    snprintf(want, sizeof(want), "%zu", 2 * COUNTOF(passing));
    assert_int_equal(times, 2 * COUNTOF(passing));
    lab_await_log(lab, "sink.batch_lost");
}

/* As after a failover to a standby that is not promoted yet. */
static void read_only_for_a_while(void **state)
{
    struct lab *lab = *state;
    char sql[160];

    snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET default_transaction_read_only = on",
             lab->database);
    lab_do(lab, sql);
    LAB_SINK(lab, 0, SOON);
    lab_await_log(lab, "sink.database_down");
    produce(lab);
    lab_do(lab, "SET default_transaction_read_only = off");
    snprintf(sql, sizeof(sql), "ALTER DATABASE %s RESET default_transaction_read_only",
             lab->database);
    lab_do(lab, sql);
    check(lab);
    lab_stop(lab, 0);
}

/* Somebody's lock outlasts the time that a statement waits for one: in the session's first
 * commands, and in a batch. */
static void locked_out(void **state)
{
    static const char lock[] = "BEGIN; LOCK TABLE fleet.runs IN ACCESS EXCLUSIVE MODE";
    struct lab *lab = *state;
    PGconn *other = lab_connect(lab->conninfo);

    PQclear(lab_exec(other, lock));
    LAB_SINK(lab, 0, SOON);
    lab_await_log(lab, "sink.session_failed");
    PQclear(lab_exec(other, "COMMIT"));
    lab_await_log(lab, "sink.ready");
    PQclear(lab_exec(other, lock));
    produce(lab);
    lab_await_log(lab, "sink.batch_lost");
    PQclear(lab_exec(other, "COMMIT"));
    PQfinish(other);
    check(lab);
    lab_stop(lab, 0);
}

/* --- records ----------------------------------------------------------------------------- */

static struct str big_data(struct buf *b)
{
    buf_adds(b, "{\"text\":\"");
    while (b->len < EVENT_DATA_MAX_BYTES - 64)
        buf_adds(b, "0123456789abcdef\\u0000\\ud800 \xc3\xa9");
    buf_adds(b, "\"}");
    return buf_str(b);
}

static void as_large_as_records_get(void **state)
{
    struct lab *lab = *state;
    AUTO_BUF b = BUF_INIT(EVENT_DATA_MAX_BYTES);
    struct str data = big_data(&b);
    char run[UUID_TEXT], want[32];

    for (int64_t n = 1; n <= 20; n++)
        lab_event(lab, lab_run(1, run),
                  (struct event){.type = EVENT_AGENT_TOOL_RESULT,
                                 .attempt = 1,
                                 .epoch = 1,
                                 .n = n,
                                 .offset = n,
                                 .data = data});
    lab_flush(lab);
    LAB_SINK(lab, 0, SOON);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 20);
    lab_expect(
        lab,
        "SELECT concat_ws('|', min(sequence), max(sequence), count(DISTINCT md5(data::text)),"
        " bool_or(data::text LIKE '%\\\\u0000%'), bool_and(fleet.as_jsonb(data) IS NOT NULL))"
        " FROM fleet.events",
        "1|20|1|f|t");
    snprintf(want, sizeof(want), "%zu", data.n);
    lab_expect(lab, "SELECT max(octet_length(data::text)) FROM fleet.events", want);
    lab_expect(lab, POISON, "0");
    lab_stop(lab, 0);
}

/* A newer program's record: what it adds is passed by, a type of its own is stored, another
 * contract is set aside. Records around it are as ever. */
static void from_a_newer_schema(void **state)
{
    struct lab *lab = *state;
    char run[UUID_TEXT];
    static const struct {
        const char *find, *with; /* as many bytes */
    } changes[] = {{"sandfleet.agent.other", "sandfleet.agent.dream"},
                   {",\"recordedtime\":", ",\"newattribute\":"},
                   {"\"specversion\":\"1.0\"", "\"specversion\":\"2.0\""}};

    lab_run(3, run);
    for (size_t i = 0; i < COUNTOF(changes); i++) {
        const struct event_record *r = lab_write(lab, run,
                                                 (struct event){.type = EVENT_AGENT_OTHER,
                                                                .attempt = 1,
                                                                .epoch = 1,
                                                                .n = (int64_t)i + 1,
                                                                .offset = 1});
        memcpy(strstr(r->value.p, changes[i].find), changes[i].with, strlen(changes[i].with));
        lab_send(lab, TOPIC_EVENTS, str_of(run), buf_str(&r->value), r->headers, r->n_headers);
    }
    lab_line(lab, run, 1, 1, 4);
    lab_flush(lab);
    LAB_SINK(lab, 0, SOON);
    lab_await(lab, "SELECT count(*) FROM fleet.events", 3);
    lab_expect(lab,
               "SELECT string_agg(concat_ws(':', sequence, line, type), ' ' ORDER BY sequence) "
               "FROM fleet.events",
               "1:1:sandfleet.agent.dream 2:2:sandfleet.agent.other 3:4:sandfleet.agent.text");
    lab_expect(lab, "SELECT concat_ws('|', count(*), min(reason)) FROM fleet.quarantine",
               "1|unsupported_version");
    lab_expect(lab, "SELECT concat_ws('|', from_line, to_line) FROM fleet.gaps", "3|3");
    lab_stop(lab, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(refuses_for_a_while),     LAB_TEST(session_emptied),
        LAB_TEST(read_only_for_a_while),   LAB_TEST(locked_out),
        LAB_TEST(as_large_as_records_get), LAB_TEST(from_a_newer_schema)};
    return cmocka_run_group_tests_name("sink faults", tests, NULL, NULL);
}

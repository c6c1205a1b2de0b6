/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: who follows a run through the API sees each event once and in order, whatever becomes
 * of the connection, and learns of its end. Proof: a server that cuts, repeats, refuses and is
 * away, by script. */
#include "tests/lib/table.h"
#include "tests/unit/producer/api_world.h"

#include "producer/api/api_event.h"
#include "producer/api/api_stream.h"

#define RUN      "01950f3c-8a00-7000-8000-000000000001"
#define EVENT(n) "id: " #n "\ndata: " EVENT_(n) "\n\n"
#define EVENT_(n)                                                                                  \
    "{\"sequence\":" #n ",\"type\":\"sandfleet.run.heartbeat\",\"time\":"                          \
    "\"2026-03-01T10:00:01.250Z\",\"attempt\":1,\"epoch\":1,\"line\":null,\"data\":{\"n\":" #n     \
    "}}"
#define END "event: end\ndata: {\"run_id\":\"" RUN "\",\"state\":\"completed\"}\n\n"

static struct row {
    const char *name;
    bool young;
    int64_t since;
    const char *want; /* numbers of events; "!" for each time it broke off; the end */
    struct step steps[4];
} rows[] = {
    {.name = "to the end",
     .want = "1 2 completed",
     .steps = {{.want = {"GET /v1/runs/" RUN "/events HTTP", "Accept: text/event-stream",
                         "Last-Event-ID: 0\r\n"},
                .answer = STREAM(EVENT(1) ": still here\n\n" EVENT(2) END)}}},
    {.name = "from a sequence",
     .since = 7,
     .want = "8 completed",
     .steps = {{.want = {"Last-Event-ID: 7\r\n"}, .answer = STREAM(EVENT(8) END)}}},
    {.name = "cut, and on",
     .want = "1 2 3 completed",
     .steps = {{.answer = STREAM(EVENT(1) EVENT(2) "id: 3\ndata: {\"half\n")},
               {.want = {"Last-Event-ID: 2\r\n"}, .answer = STREAM(EVENT(3) END)}}},
    {.name = "hung up, and on",
     .want = "1 ! 2 completed",
     .steps = {{.answer = STREAM(EVENT(1))}, {.answer = NULL}, {.answer = STREAM(EVENT(2) END)}}},
    {.name = "repeats are dropped",
     .want = "1 2 3 completed",
     .steps = {{.answer = STREAM(EVENT(1) EVENT(2) EVENT(2))},
               {.answer = STREAM(EVENT(1) EVENT(2) EVENT(3) END)}}},
    {.name = "the server says why it breaks off",
     .want = "1 ! 2 completed",
     .steps = {{.answer =
                    STREAM(EVENT(1) "event: error\ndata: {\"status\":503,\"code\":\"draining\","
                                    "\"retryable\":true}\n\n"),
                .open = true},
               {.want = {"Last-Event-ID: 1\r\n"}, .answer = STREAM(EVENT(2) END)}}},
    {.name = "away for a while",
     .want = "! ! 1 completed",
     .steps = {{.answer =
                    PROBLEM("503 U", "{\"code\":\"database_unavailable\",\"retryable\":true}")},
               {.answer = NULL},
               {.answer = STREAM(EVENT(1) END)}}},
    {.name = "a young run is not known yet",
     .young = true,
     .want = "! 1 completed",
     .steps = {{.answer = PROBLEM("404 N", "{\"code\":\"not_found\"}")},
               {.answer = STREAM(EVENT(1) END)}}},
    {.name = "no such run",
     .want = "NOT_FOUND",
     .steps = {{.answer = PROBLEM("404 N", "{\"code\":\"not_found\"}")}}},
    {.name = "no key",
     .want = "UNAUTHORIZED",
     .steps = {{.answer = PROBLEM("401 N", "{\"code\":\"unauthenticated\"}")}}},
    {.name = "messages of a newer server are left out",
     .want = "1 completed",
     .steps = {{.answer = STREAM("event: news\ndata: x\n\n" EVENT(1) END)}}},
    {.name = "what is no event ends it",
     .want = "1 PROTOCOL",
     .steps = {{.answer = STREAM(EVENT(1) "data: {}\n\n"), .open = true}}},
};

struct seen {
    struct api_world w;
    struct buf got;
};

static void say(struct seen *s, const char *word)
{
    buf_addf(&s->got, "%s%s", s->got.len ? " " : "", word);
}

static void on_event(void *ctx, const struct event_view *v, int64_t sequence, struct str json)
{
    char text[24];

    assert_true(v->known_type && v->event.type == EVENT_RUN_HEARTBEAT);
    assert_true(json.n > 0 && v->event.attempt == 1);
    snprintf(text, sizeof(text), "%lld", (long long)sequence);
    say(ctx, text);
}

static void on_ended(void *ctx, const char *state)
{
    say(ctx, state);
    loop_stop(api_client_loop(((struct seen *)ctx)->w.api));
}

static void on_failed(void *ctx, const struct err *e)
{
    say(ctx, err_name(e->code));
    loop_stop(api_client_loop(((struct seen *)ctx)->w.api));
}

static void on_away(void *ctx, const struct err *e, int64_t retry_ms)
{
    assert_true(retry_ms > 0 && e->msg[0]);
    say(ctx, "!");
}

static const struct api_stream_events events = {on_event, on_ended, on_failed, on_away};

static size_t steps_of(const struct step *steps, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < room; i++)
        n = steps[i].answer ? i + 1 : n;
    return n;
}

static void check(void **state)
{
    const struct row *row = *state;
    const struct api_stream_opts opts = {.run_id = RUN, .since = row->since, .young = row->young};
    struct seen s = {.got = BUF_INIT(4096)};
    struct api_stream *stream;
    struct err err = ERR_INIT;

    world_open(&s.w, row->steps, steps_of(row->steps, COUNTOF(row->steps)));
    assert_int_equal(api_stream_start(s.w.api, &opts, &events, &s, &stream, &err), ERR_OK);
    loop_run(api_client_loop(s.w.api));
    assert_string_equal(s.got.p, row->want);
    api_stream_free(stream);
    world_shut(&s.w);
    buf_release(&s.got);
}

static void it_is_given_up(void **state)
{
    static const struct step steps[] = {{.answer = STREAM(EVENT(1))}};
    const struct api_stream_opts opts = {.run_id = RUN, .patience_ms = 1};
    struct seen s = {.got = BUF_INIT(4096)};
    struct api_stream *stream;
    struct err err = ERR_INIT;

    (void)state;
    world_open(&s.w, steps, COUNTOF(steps));
    assert_int_equal(api_stream_start(s.w.api, &opts, &events, &s, &stream, &err), ERR_OK);
    loop_run(api_client_loop(s.w.api));
    assert_string_equal(s.got.p, "1 UNAVAILABLE");
    api_stream_free(stream);
    world_shut(&s.w);
    buf_release(&s.got);
}

static void an_event_is_written_as_it_is_read(void **state)
{
    static const char text[] =
        "{\"sequence\":3,\"type\":\"sandfleet.agent.message\",\"time\":\"2026-03-01T10:00:01."
        "250Z\","
        "\"attempt\":2,\"epoch\":4,\"line\":5,\"tool\":null,\"model\":null,\"input_tokens\":null,"
        "\"output_tokens\":null,\"cost_usd\":null,\"data\":{\"native\":{\"a\":[1]}}}";
    struct event_view v;
    int64_t sequence;
    struct err err = ERR_INIT;
    AUTO_BUF again = BUF_INIT(4096);

    (void)state;
    assert_int_equal(api_event_read(str_of(text), &v, &sequence, &err), ERR_OK);
    api_event_write(&v, sequence, &again);
    assert_string_equal(again.p, text);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(it_is_given_up),
                                        cmocka_unit_test(an_event_is_written_as_it_is_read)};

    return TABLE_RUN("api_stream", rows, check) +
           cmocka_run_group_tests_name("api_stream", others, NULL, NULL);
}

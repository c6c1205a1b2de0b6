/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a list goes from page to page and tells each item once, or says why not; snapshots,
 * metrics and logs are asked for as the protocol says and taken only when they make sense.
 * Proof: the requests that a scripted server hears, and what was told. */
#include "script.h"

#include "worker/e2b/sandbox_report.h"
#include "worker/e2b/sandbox_snapshot.h"

struct told {
    int items, ends;
    char text[512]; /* what came, one behind the other */
    struct err e;
};

static void add(struct told *t, const char *text)
{
    size_t n = strlen(t->text);

    t->items++;
    (void)snprintf(t->text + n, sizeof(t->text) - n, "%s|", text);
}

static void on_end(void *ctx, const struct err *e)
{
    struct told *t = ctx;

    t->ends++;
    t->e = *e;
    loop_stop(fx.loop);
}

static void on_sandbox(void *ctx, const struct sandbox_info *info)
{
    add(ctx, info->id);
}

static void on_snapshot(void *ctx, const char *id)
{
    add(ctx, id);
}

/* --- pages ---------------------------------------------------------------------------- */

#define PAGE(token, items)                                                                         \
    "200 OK\r\nX-Next-Token: " token "\r\nConnection: close\r\n\r\n[" items "]"
#define LAST(items)  BODY("200 OK", "[" items "]")
#define ONE          LISTED("i1", "running")
#define TWO          LISTED("i2", "paused")
#define FIRST_PAGE   "GET /v2/sandboxes?limit=100&state=running,paused HTTP/1.1"
#define SECOND_PAGE  "GET /v2/sandboxes?limit=100&state=running,paused&nextToken=a%3D%3D HTTP/1.1"
#define SNAPSHOTS(x) "GET /snapshots?limit=100&sandboxID=iabc" x " HTTP/1.1"

static const struct page_row {
    const char *name;
    const char *answers[SCRIPT_ANSWERS];
    const char *code, *told, *said;
} lists[] = {
    {"one page", {LAST(ONE "," TWO)}, "OK", "i1|i2|", FIRST_PAGE},
    {"none", {LAST("")}, "OK", "", FIRST_PAGE},
    {"two pages", {PAGE("a==", ONE), LAST(TWO)}, "OK", "i1|i2|", SECOND_PAGE},
    {"an empty page is not the last", {PAGE("a==", ""), LAST(TWO)}, "OK", "i2|", SECOND_PAGE},
    {"a page that was lost", {PAGE("a==", ONE), LOST, LAST(TWO)}, "OK", "i1|i2|", SECOND_PAGE},
    {"half a page is asked for again, and told once",
     {PAGE("a==", ONE), LAST(TWO ",{\"sandboxID\":\"i3\"}"), LAST(TWO)},
     "OK",
     "i1|i2|",
     SECOND_PAGE},
    {"the same page for ever", {PAGE("a==", ONE)}, "PROTOCOL", "i1|", SECOND_PAGE},
    {"a token that would be another header", {PAGE("a b", ONE)}, "PROTOCOL", "", FIRST_PAGE},
    {"no list", {BODY("200 OK", "{}")}, "PROTOCOL", "", FIRST_PAGE},
    {"a token that is refused",
     {PAGE("a==", ONE), BODY("400 Bad", "{\"code\":400,\"message\":\"Invalid next token\"}")},
     "INVALID",
     "i1|",
     SECOND_PAGE},
    {"wrong key", {BODY("401 No", "{}")}, "UNAUTHORIZED", "", FIRST_PAGE},
    {"the wait that was asked for",
     {"429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n", LAST(ONE)},
     "OK",
     "i1|",
     FIRST_PAGE},
};

static void lists_pages(void **state)
{
    static const struct sandbox_query q = {.states = "running,paused"};
    const struct page_row *row = *state;
    struct stage st = stage_up(row->answers);
    struct sandbox_list *list;
    struct told t = {0};
    struct err e;

    assert_string_equal(err_name(sandbox_list(st.service, &q, on_sandbox, on_end, &t, &list, &e)),
                        "OK");
    fx_run();
    assert_string_equal(err_name(t.e.code), row->code);
    assert_string_equal(t.text, row->told);
    assert_int_equal(t.ends, 1);
    assert_non_null(strstr(st.heard->text, row->said));
    stage_down(&st);
}

static void snapshots_are_listed(void **state)
{
    static const char *const answers[] = {PAGE("t", "{\"snapshotID\":\"s:1\",\"names\":[]}"),
                                          LAST("{\"snapshotID\":\"o/s:2\"}"), NULL};
    struct stage st = stage_up(answers);
    struct sandbox_list *list;
    struct told t = {0};
    struct err e;

    (void)state;
    assert_string_equal(
        err_name(sandbox_snapshot_list(st.service, "iabc", on_snapshot, on_end, &t, &list, &e)),
        "OK");
    fx_run();
    assert_string_equal(t.e.msg, "");
    assert_string_equal(t.text, "s:1|o/s:2|");
    assert_non_null(strstr(st.heard->text, SNAPSHOTS("")));
    assert_non_null(strstr(st.heard->text, SNAPSHOTS("&nextToken=t")));
    stage_down(&st);
}

/* --- single calls ----------------------------------------------------------------------- */

static void on_made(void *ctx, const char *id, const struct err *e)
{
    if (id)
        add(ctx, id);
    on_end(ctx, e);
}

static void on_metrics(void *ctx, const struct sandbox_metric *m, size_t n, const struct err *e)
{
    char text[64];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text, sizeof(text), "%lld %.1f %lld", (long long)m[i].at_ms,
                       m[i].cpu_used_pct, (long long)m[i].mem_used);
        add(ctx, text);
    }
    on_end(ctx, e);
}

static void on_logs(void *ctx, const struct sandbox_log *lines, size_t n, const struct err *e)
{
    for (size_t i = 0; i < n; i++)
        add(ctx, lines[i].message);
    on_end(ctx, e);
}

enum verb { PAUSE, REFRESH, TTL, SNAPSHOT, SNAPSHOT_DELETE, METRICS, LOGS };

static enum err_code ask(struct sandbox_service *s, enum verb v, struct told *t, struct err *e)
{
    switch (v) {
    case PAUSE:
        return sandbox_pause(s, "iabc", on_end, t, e);
    case REFRESH:
        return sandbox_refresh(s, "iabc", 60001, on_end, t, e);
    case TTL:
        return sandbox_set_ttl(s, "iabc", 60001, on_end, t, e);
    case SNAPSHOT:
        return sandbox_snapshot(s, "iabc", "a \"b\"", on_made, t, e);
    case SNAPSHOT_DELETE:
        return sandbox_snapshot_delete(s, "o/s:2", on_end, t, e);
    case METRICS:
        return sandbox_metrics(s, "iabc", 1000, 9999, on_metrics, t, e);
    case LOGS:
        return sandbox_logs(s, "iabc", 7, 10, on_logs, t, e);
    }
    return ERR_INTERNAL;
}

#define DONE   BODY("204 No Content", "")
#define FAILED BODY("500 Bad", "{}")
#define PAUSED                                                                                     \
    BODY("409 Conflict", "{\"code\":409,\"message\":\"sandbox 'iabc' is already paused\"}")
#define METRIC                                                                                     \
    "{\"timestampUnix\":5,\"cpuCount\":1,\"cpuUsedPct\":1.5,\"memUsed\":7,\"memTotal\":8,"         \
    "\"memCache\":0,\"diskUsed\":1,\"diskTotal\":2}"
#define LOG "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"info\",\"message\":\"hi\"}"

static const struct call_row {
    const char *name;
    enum verb verb;
    const char *answers[SCRIPT_ANSWERS];
    const char *code, *told, *asked, *said;
} calls[] = {
    {"pause", PAUSE, {DONE}, "OK", "", "POST /sandboxes/iabc/pause|", "{\"memory\":true}"},
    {"pause: its answer was lost",
     PAUSE,
     {LOST, PAUSED},
     "OK",
     "",
     "POST /sandboxes/iabc/pause|POST /sandboxes/iabc/pause|",
     NULL},
    {"pause: gone", PAUSE, {NO_SUCH}, "GONE", "", "POST /sandboxes/iabc/pause|", NULL},
    {"refresh", REFRESH, {DONE}, "OK", "", "POST /sandboxes/iabc/refreshes|", "{\"duration\":61}"},
    {"ttl", TTL, {DONE}, "OK", "", "POST /sandboxes/iabc/timeout|", "{\"timeout\":61}"},
    {"snapshot",
     SNAPSHOT,
     {BODY("201 Created", "{\"snapshotID\":\"s:1\",\"names\":[\"a\"]}")},
     "OK",
     "s:1|",
     "POST /sandboxes/iabc/snapshots|",
     "{\"name\":\"a \\\"b\\\"\"}"},
    {"snapshot: never twice",
     SNAPSHOT,
     {LOST},
     "UNAVAILABLE",
     "",
     "POST /sandboxes/iabc/snapshots|",
     NULL},
    {"snapshot: no JSON, never twice",
     SNAPSHOT,
     {BODY("201 Created", "x")},
     "PROTOCOL",
     "",
     "POST /sandboxes/iabc/snapshots|",
     NULL},
    {"snapshot: asked to wait, it did nothing yet",
     SNAPSHOT,
     {"429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
      BODY("201 Created", "{\"snapshotID\":\"s\"}")},
     "OK",
     "s|",
     "POST /sandboxes/iabc/snapshots|POST /sandboxes/iabc/snapshots|",
     NULL},
    {"snapshot delete", SNAPSHOT_DELETE, {DONE}, "OK", "", "DELETE /templates/o%2Fs%3A2|", NULL},
    {"snapshot delete: gone",
     SNAPSHOT_DELETE,
     {FAILED, BODY("404 Not Found", "{\"code\":404,\"message\":\"template 'x' not found\"}")},
     "OK",
     "",
     "DELETE /templates/o%2Fs%3A2|DELETE /templates/o%2Fs%3A2|",
     NULL},
    {"metrics",
     METRICS,
     {BODY("200 OK", "[" METRIC "," METRIC "]")},
     "OK",
     "5000 1.5 7|5000 1.5 7|",
     "GET /sandboxes/iabc/metrics|",
     "?start=1&end=9 "},
    {"metrics: none yet",
     METRICS,
     {BODY("200 OK", "[]")},
     "OK",
     "",
     "GET /sandboxes/iabc/metrics|",
     NULL},
    {"metrics: another schema, then they are",
     METRICS,
     {BODY("200 OK", "[{}]"), BODY("200 OK", "[" METRIC "]")},
     "OK",
     "5000 1.5 7|",
     "GET /sandboxes/iabc/metrics|GET /sandboxes/iabc/metrics|",
     NULL},
    {"logs",
     LOGS,
     {BODY("200 OK", "{\"logs\":[" LOG "," LOG "]}")},
     "OK",
     "hi|hi|",
     "GET /v2/sandboxes/iabc/logs|",
     "?direction=forward&limit=10&cursor=7 "},
    {"logs: gone", LOGS, {NO_SUCH}, "GONE", "", "GET /v2/sandboxes/iabc/logs|", NULL},
};

static void asks_and_takes(void **state)
{
    const struct call_row *row = *state;
    struct stage st = stage_up(row->answers);
    struct told t = {0};
    struct err e;

    assert_string_equal(err_name(ask(st.service, row->verb, &t, &e)), "OK");
    assert_int_equal(t.ends, 0);
    fx_run();
    assert_string_equal(err_name(t.e.code), row->code);
    assert_string_equal(t.text, row->told);
    assert_int_equal(t.ends, 1);
    stage_asked(&st, row->asked);
    if (row->said)
        assert_non_null(strstr(st.heard->text, row->said));
    stage_down(&st);
}

static void a_forgotten_call_goes_on_untold(void **state)
{
    static const char *const answers[] = {FAILED, DONE, NULL};
    struct stage st = stage_up(answers);
    struct told t = {0};
    struct err e;

    (void)state;
    assert_string_equal(err_name(sandbox_kill(st.service, "iabc", on_end, &t, &e)), "OK");
    sandbox_forget(st.service, &t);
    stage_asked(&st, "DELETE /sandboxes/iabc|DELETE /sandboxes/iabc|");
    for (int i = 0; i < 3; i++)
        stage_turn();
    assert_int_equal(t.ends, 0);
    stage_down(&st);
}

static void what_makes_no_sense_is_not_asked(void **state)
{
    static const char *const answers[] = {DONE, NULL};
    struct stage st = stage_up(answers);
    struct sandbox_service *s = st.service;
    struct sandbox_list *l;
    struct err e;

    (void)state;
    assert_int_equal(sandbox_refresh(s, "iabc", 3600001, on_end, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_refresh(s, "iabc", -1, on_end, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_pause(s, "i/b", on_end, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_snapshot(s, "", NULL, on_made, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_snapshot_delete(s, "a b", on_end, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_snapshot_list(s, "?", on_snapshot, on_end, NULL, &l, &e), ERR_INVALID);
    assert_int_equal(sandbox_metrics(s, "iabc", 2, 1, on_metrics, NULL, &e), ERR_INVALID);
    assert_int_equal(sandbox_logs(s, "iabc", 0, 1001, on_logs, NULL, &e), ERR_INVALID);
    assert_int_equal(st.heard->n, 0);
    stage_down(&st);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(lists) + COUNTOF(calls) + 3] = {
        cmocka_unit_test(snapshots_are_listed),
        cmocka_unit_test(a_forgotten_call_goes_on_untold),
        cmocka_unit_test(what_makes_no_sense_is_not_asked),
    };
    size_t n = 3;

    for (size_t i = 0; i < COUNTOF(lists); i++)
        tests[n++] = (struct CMUnitTest){.name = lists[i].name,
                                         .test_func = lists_pages,
                                         .initial_state = (void *)(uintptr_t)&lists[i]};
    for (size_t i = 0; i < COUNTOF(calls); i++)
        tests[n++] = (struct CMUnitTest){.name = calls[i].name,
                                         .test_func = asks_and_takes,
                                         .initial_state = (void *)(uintptr_t)&calls[i]};
    return cmocka_run_group_tests_name("sandbox_report", tests, fx_up, fx_down);
}

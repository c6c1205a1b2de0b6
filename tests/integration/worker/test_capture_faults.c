/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever becomes of a stream or of the sandbox under it, a run's lines arrive once and
 * in order, or the run fails with the action that the table of errors names; no stream, process
 * or descriptor is left. Proof: a sandboxd with scripted faults, and counts. */
#include "capture_world.h"
#include "faults.h"
#include "worker/e2b/envd_answer.h"

enum { LINES = 3000, MANY = 8 };

/* The third process of a run is the first tail: folder, launch, tail. */
#define TAIL   "{\"on\":\"POST /process.Process/Start\",\"skip\":2,"
#define UPLOAD "{\"on\":\"POST /files\","
#define GOING  COUNT(1, 1000) "sleep 0.3\n" COUNT(1001, 2000) "sleep 0.3\n" COUNT(2001, 3000)

// clang-format off
static const struct row {
    const char *name, *rules, *code;
} rows[] = {
    {"no fault", "[]", "OK"},
    {"half open at once", "[" TAIL "\"do\":\"half_open\",\"after_bytes\":0}]", "OK"},
    {"half open in the middle of a frame", "[" TAIL "\"do\":\"half_open\",\"after_bytes\":5001}]", "OK"},
    {"half open twice", "[" TAIL "\"do\":\"half_open\",\"after_bytes\":5001,\"times\":2}]", "OK"},
    {"a slow drip", "[" TAIL "\"do\":\"drip\",\"bytes_per_s\":40000}]", "OK"},
    {"cut three times", "[" TAIL "\"do\":\"cut\",\"after_bytes\":9999,\"times\":3}]", "OK"},
    {"cut at once, for ever: it polls", "[" TAIL "\"do\":\"cut\",\"after_bytes\":0,\"times\":3}]", "OK"},
    {"ends without an end", "[" TAIL "\"do\":\"no_end\",\"after_bytes\":20000,\"times\":2}]", "OK"},
    {"unavailable", "[" TAIL "\"do\":\"answer\",\"status\":503,\"body\":{\"code\":\"unavailable\",\"message\":\"x\"},\"times\":2}]", "OK"},
    {"too many connections", "[" TAIL "\"do\":\"answer\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"}}]", "OK"},
    {"its daemon is away", "[" TAIL "\"do\":\"answer\",\"status\":502,\"body\":{\"code\":502,\"message\":\"The sandbox is running but port is not open\"}}]", "OK"},
    {"the edge is wrong once", "[" TAIL "\"do\":\"answer\",\"status\":502,\"body\":{\"code\":502,\"message\":\"The sandbox was not found\"}}]", "OK"},
    {"lost when a stream is opened", "[" TAIL "\"do\":\"lose\"}]", "GONE"},
    {"lost when a file comes", "[" UPLOAD "\"do\":\"lose\"}]", "GONE"},
    {"the wrong token once", "[" TAIL "\"do\":\"wrong_token\"}]", "OK"},
    {"the wrong token for ever", "[" TAIL "\"do\":\"wrong_token\",\"times\":0}]", "GONE"},
    {"the disk is full", "[" UPLOAD "\"do\":\"disk_full\",\"times\":0}]", "IO"},
    {"an upload is cut", "[" UPLOAD "\"do\":\"cut\",\"after_bytes\":0,\"times\":2}]", "OK"},
};
// clang-format on

static const char *name_of_run(void)
{
    static char ids[64][24];
    static size_t n;

    assert_true(n < COUNTOF(ids));
    (void)snprintf(ids[n], sizeof(ids[n]), "faults-%zu", n);
    return ids[n++];
}

/* --- processes of a sandbox ------------------------------------------------------ */

static void on_listed(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct envd_processes list = {0};
    struct err ignored;

    *(int *)ctx = e->code == ERR_OK && envd_processes_parse(a->body, &list, &ignored) == ERR_OK
                      ? (int)list.n
                      : -1;
    envd_processes_release(&list);
    loop_stop(fx.loop);
}

static int processes(const struct world *w)
{
    struct envd_call *call;
    struct err e;
    int n = -1;

    assert_string_equal(err_name(envd_list(sandbox_envd(w->sb), on_listed, &n, &call, &e)), "OK");
    fx_run();
    return n;
}

static void pass_ms(int64_t ms)
{
    struct timer *t = timer_new(fx.loop, (loop_fn)loop_stop, fx.loop);

    timer_start(t, ms);
    loop_run(fx.loop);
    timer_free(t);
}

static void await_processes(const struct world *w, int want)
{
    int n = -1;

    for (int i = 0; i < 200 && (n = processes(w)) != want; i++)
        pass_ms(20);
    assert_int_equal(n, want);
}

/* --- one row, one run ------------------------------------------------------------- */

static void check(void **state)
{
    const struct row *row = *state;
    int handles = faults_handles();
    struct world w = world_of(name_of_run(), NULL);
    struct got g = {0};

    faults_set(row->rules);
    begin(&g, w.sb, w.run_id, GOING, (struct capture_spec){0});
    fx_run();
    faults_set("[]");
    assert_string_equal(err_name(g.e.code), row->code);
    if (g.e.code == ERR_OK) {
        assert_ended(&g, 0);
        assert_counted(buf_str(&g.text), 1, LINES);
        await_processes(&w, 0);
    }
    end(&g);
    world_end(&w);
    assert_int_equal(faults_handles(), handles);
}

/* --- stories ------------------------------------------------------------------------ */

static void told(void *ctx, const struct err *e)
{
    (void)ctx;
    assert_string_equal(e->msg, "");
    loop_stop(fx.loop);
}

static void paused_under_a_run_it_is_woken(void **state)
{
    struct world w = world_of(name_of_run(), NULL);
    struct got g = {.stop_at = 1000};
    struct err e;

    (void)state;
    begin(&g, w.sb, w.run_id, GOING, (struct capture_spec){0});
    fx_run();
    assert_false(g.ended);
    assert_string_equal(err_name(sandbox_pause(w.service, sandbox_id(w.sb), told, NULL, &e)), "OK");
    fx_run();
    while (!g.ended)
        fx_run();
    assert_ended(&g, 0);
    assert_counted(buf_str(&g.text), 1, LINES);
    end(&g);
    world_end(&w);
}

static void killed_under_a_run_it_is_gone(void **state)
{
    struct world w = world_of(name_of_run(), NULL);
    struct got g = {.stop_at = 1000};

    (void)state;
    begin(&g, w.sb, w.run_id, GOING, (struct capture_spec){0});
    fx_run();
    kill_sandbox(&w);
    fx_run();
    while (!g.ended)
        fx_run();
    assert_string_equal(err_name(g.e.code), "GONE");
    end(&g);
    world_end(&w);
}

static void who_takes_over_ends_the_tail_left_behind(void **state)
{
    struct world w = world_of(name_of_run(), NULL);
    struct got first = {.stop_at = 1000}, second = {.stop_at = 2000};
    struct capture_spec spec = {.resume = true};

    (void)state;
    begin(&first, w.sb, w.run_id, COUNT(1, 1000) "sleep 2\n" COUNT(1001, 2000) "sleep 2\n",
          (struct capture_spec){0});
    fx_run();
    spec.offset = first.last_offset;
    spec.line = first.lines;
    end(&first);
    await_processes(&w, 1);
    begin(&second, w.sb, w.run_id, "", spec);
    fx_run();
    assert_int_equal(processes(&w), 1);
    while (!second.ended)
        fx_run();
    assert_ended(&second, 0);
    assert_counted(buf_str(&second.text), 1001, 2000);
    end(&second);
    await_processes(&w, 0);
    world_end(&w);
}

/* Half a megabyte would fill a stream that nobody reads, and block who prints it. */
static void nobody_waits_for_a_paused_reader(void **state)
{
    struct world w[MANY];
    struct got g[MANY];
    int handles;

    (void)state;
    for (int i = 0; i < MANY; i++)
        w[i] = world_of(name_of_run(), NULL);
    for (int i = 0; i < MANY; i++) {
        g[i] = (struct got){.stop_at = 1000, .pause_at = 1000, .stays_paused = true};
        begin(&g[i], w[i].sb, w[i].run_id, COUNT(1, 1000) "sleep 1\n" COUNT(1001, 150000),
              (struct capture_spec){0});
    }
    for (int i = 0; i < MANY; i++)
        while (g[i].lines < 1000)
            fx_run();
    handles = faults_handles();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(exit_of(&w[i], "until [ -e .sandfleet/*/1/rc ]; do sleep 0.1; done"), 0);
    assert_true(faults_handles() <= handles + 1); /* the connection that asked is kept */
    for (int i = 0; i < MANY; i++) {
        assert_true(g[i].lines < 150000);
        capture_pause(g[i].c, false);
    }
    for (int i = 0; i < MANY; i++) {
        while (!g[i].ended)
            fx_run();
        assert_ended(&g[i], 0);
        assert_counted(buf_str(&g[i].text), 1, 150000);
        end(&g[i]);
        world_end(&w[i]);
    }
}

static int up(void **state)
{
    fx_keepalive_s = 1;
    return fx_up(state);
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        cmocka_unit_test(paused_under_a_run_it_is_woken),
        cmocka_unit_test(killed_under_a_run_it_is_gone),
        cmocka_unit_test(who_takes_over_ends_the_tail_left_behind),
        cmocka_unit_test(nobody_waits_for_a_paused_reader),
    };
    struct CMUnitTest table[COUNTOF(rows)];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        table[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("capture.faults", table, up, fx_down) +
           cmocka_run_group_tests_name("capture.stories", stories, up, fx_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every byte an agent prints in a sandbox reaches us once and in order, with its
 * line number and offset, whatever becomes of the streams; and how it ended is known.
 * Proof: real processes in a real sandboxd; the prompt is the script they run. */
#include "capture_world.h"
#include "proxy.h"

static void every_line_once(void **state)
{
    struct world w = world_of("every-line", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, COUNT(1, 20000) "echo oops >&2; exit 3\n", (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 3);
    assert_counted(buf_str(&g.text), 1, 20000);
    assert_int_equal(g.bytes, g.text.len);
    assert_string_equal(g.stderr_tail, "oops\n");
    end(&g);
    world_end(&w);
}

static void cuts_lose_and_double_nothing(void **state)
{
    struct fx_proxy p = fx_proxy_up(FX_CUT, 100000, 3);
    struct world w = world_of("cuts", p.url);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id,
          COUNT(1, 5000) "sleep 0.3\n" COUNT(5001, 10000) "sleep 0.3\n" COUNT(10001, 20000),
          (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 0);
    assert_counted(buf_str(&g.text), 1, 20000);
    end(&g);
    world_end(&w);
    assert_int_equal(fx_proxy_down(&p), 3);
}

static void without_streams_it_polls(void **state)
{
    struct fx_proxy p = fx_proxy_up(FX_NO_TAIL, 0, 0);
    struct world w = world_of("polls", p.url);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, COUNT(1, 3000) "sleep 1.5\n" COUNT(3001, 6000) "printf last",
          (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 0);
    assert_true(g.unterminated);
    assert_counted((struct str){g.text.p, g.text.len - 5}, 1, 6000);
    end(&g);
    world_end(&w);
    assert_true(fx_proxy_down(&p) >= 3);
}

/* What a worker does that takes a run over: same files, from the last acknowledged line. */
static void another_goes_on_at_the_offset(void **state)
{
    struct world w = world_of("takeover", NULL);
    struct got first = {.stop_at = 1500}, second = {0};
    struct capture_spec spec = {.resume = true};

    (void)state;
    begin(&first, w.sb, w.run_id, COUNT(1, 2000) "sleep 1\n" COUNT(2001, 3000),
          (struct capture_spec){0});
    fx_run();
    assert_false(first.ended);
    spec.offset = first.last_offset;
    spec.line = first.lines;
    end(&first);
    begin(&second, w.sb, w.run_id, "echo a second agent ran", spec);
    fx_run();
    assert_ended(&second, 0);
    assert_true(spec.line >= 1500 && spec.line < 3000);
    assert_counted(buf_str(&second.text), spec.line + 1, 3000);
    assert_int_equal(second.lines, 3000);
    end(&second);
    world_end(&w);
}

static void a_resume_of_nothing_starts(void **state)
{
    struct world w = world_of("resume-nothing", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, COUNT(1, 3), (struct capture_spec){.resume = true});
    fx_run();
    assert_ended(&g, 0);
    assert_counted(buf_str(&g.text), 1, 3);
    end(&g);
    world_end(&w);
}

static void a_resume_behind_the_end_ends(void **state)
{
    struct world w = world_of("resume-end", NULL);
    struct got first = {0}, second = {0};

    (void)state;
    begin(&first, w.sb, w.run_id, COUNT(1, 3) "exit 9", (struct capture_spec){0});
    fx_run();
    assert_ended(&first, 9);
    begin(&second, w.sb, w.run_id, "",
          (struct capture_spec){.resume = true, .offset = first.bytes, .line = first.lines});
    fx_run();
    assert_ended(&second, 9);
    assert_int_equal(second.lines, 3);
    assert_int_equal(second.text.len, 0);
    end(&first);
    end(&second);
    world_end(&w);
}

static void the_time_limit_is_124(void **state)
{
    struct world w = world_of("timeout", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "echo up\nexec sleep 60\n", (struct capture_spec){.timeout_s = 1});
    fx_run();
    assert_ended(&g, 124);
    assert_int_equal(g.lines, 1);
    end(&g);
    world_end(&w);
}

static void kill_ends_the_agent(void **state)
{
    struct world w = world_of("kill", NULL);
    struct got g = {.stop_at = 1};

    (void)state;
    begin(&g, w.sb, w.run_id, "echo up\nsleep 60\n", (struct capture_spec){0});
    fx_run();
    capture_kill(g.c, 5000);
    fx_run();
    assert_ended(&g, 143);
    end(&g);
    world_end(&w);
}

static void kill_ends_one_that_does_not_heed(void **state)
{
    struct world w = world_of("kill-hard", NULL);
    struct got g = {.stop_at = 1};

    (void)state;
    begin(&g, w.sb, w.run_id, "trap '' TERM\necho up\nwhile :; do sleep 0.1; done\n",
          (struct capture_spec){0});
    fx_run();
    capture_kill(g.c, 300);
    fx_run();
    assert_ended(&g, 137);
    end(&g);
    world_end(&w);
}

static void kill_before_the_start_counts(void **state)
{
    struct world w = world_of("kill-early", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "sleep 60\n", (struct capture_spec){0});
    capture_kill(g.c, 5000);
    fx_run();
    assert_ended(&g, 143);
    end(&g);
    world_end(&w);
}

static void a_deleted_sandbox_is_gone(void **state)
{
    struct world w = world_of("gone", NULL);
    struct got g = {.stop_at = 1};

    (void)state;
    begin(&g, w.sb, w.run_id, "echo up\nsleep 60\n", (struct capture_spec){0});
    fx_run();
    kill_sandbox(&w);
    while (!g.ended)
        fx_run();
    assert_string_equal(err_name(g.e.code), "GONE");
    end(&g);
    world_end(&w);
}

/* kill -9 of the supervisor: nobody writes rc any more. */
static void a_dead_supervisor_is_internal(void **state)
{
    struct world w = world_of("dead", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id,
          "echo up\nkill -9 \"$(cat \"$HOME/.sandfleet/dead/1/pid\")\"\necho more\n",
          (struct capture_spec){0});
    fx_run();
    assert_string_equal(err_name(g.e.code), "INTERNAL");
    assert_int_equal(g.lines, 2);
    end(&g);
    world_end(&w);
}

/* The file keeps all of it; we hold as much as the ceiling allows, and say so. */
static void a_line_of_nine_megabytes_is_cut(void **state)
{
    struct world w = world_of("long", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "head -c 9000000 /dev/zero | tr '\\0' x; echo; echo next\n",
          (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 0);
    assert_int_equal(g.lines, 2);
    assert_int_equal(g.longest, CAPTURE_LINE_MAX_BYTES);
    assert_int_equal(g.true_bytes, 9000000);
    assert_int_equal(g.bytes, 9000006);
    assert_string_equal(g.text.p + g.text.len - 5, "next\n");
    end(&g);
    world_end(&w);
}

static struct odd {
    const char *run_id, *script, *text;
    size_t n;
    int64_t blank;
    bool unterminated;
} odd_rows[] = {
#define TEXT(s) s, sizeof(s) - 1
    {"nothing", "exit 0", TEXT(""), 0, false},
    {"bytes", "printf '\\377\\376\\000x\\n'", TEXT("\xff\xfe\0x\n"), 0, false},
    {"blank-lines", "printf 'a\\n\\n \\n\\nb\\n'", TEXT("a\nb\n"), 3, false},
    {"no-newline", "printf 'a\\nb'", TEXT("a\nb\n"), 0, true},
    {"cut-character", "printf '\\342\\202'", TEXT("\xe2\x82\n"), 0, true},
    {"slow-characters", "for i in 342 202 254 012; do printf \"\\\\$i\"; sleep 0.1; done",
     TEXT("\xe2\x82\xac\n"), 0, false},
};

static void bytes_come_as_they_are(void **state)
{
    const struct odd *row = *state;
    struct world w = world_of(row->run_id, NULL);
    struct got g = {0};

    begin(&g, w.sb, w.run_id, row->script, (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 0);
    assert_int_equal(g.text.len, row->n);
    if (row->n > 0)
        assert_memory_equal(g.text.p, row->text, row->n);
    assert_int_equal(g.blank, row->blank);
    assert_int_equal(g.unterminated, row->unterminated);
    end(&g);
    world_end(&w);
}

static void a_pause_loses_nothing(void **state)
{
    struct world w = world_of("pause", NULL);
    struct got g = {.pause_at = 700};

    (void)state;
    begin(&g, w.sb, w.run_id, COUNT(1, 9000) "sleep 0.2\n" COUNT(9001, 9100),
          (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 0);
    assert_counted(buf_str(&g.text), 1, 9100);
    end(&g);
    world_end(&w);
}

/* What is over the ceiling of an attempt is not read; its agent is ended. */
static void a_flood_is_ended(void **state)
{
    struct world w = world_of("flood", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\"\n",
          (struct capture_spec){0});
    fx_run();
    assert_ended(&g, 143);
    assert_true(g.log_ceiling);
    assert_in_range(g.bytes, CAPTURE_LOG_MAX_BYTES, CAPTURE_LOG_MAX_BYTES + 65536);
    end(&g);
    world_end(&w);
}

/* Over and over, also in the middle of a line that takes its time. */
static void on_toggle(void *ctx)
{
    struct got *g = ctx;

    g->paused = !g->paused;
    capture_pause(g->c, g->paused);
    timer_start(g->later, g->paused ? 10 : 90);
}

static void a_pause_in_a_line_loses_nothing(void **state)
{
    struct world w = world_of("pause-in-line", NULL);
    struct got g = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "for i in 0 1 2 3 4 5 6 7 8 9; do printf $i; sleep 0.1; done; echo",
          (struct capture_spec){0});
    timer_free(g.later);
    g.later = timer_new(fx.loop, on_toggle, &g);
    timer_start(g.later, 200);
    fx_run();
    assert_ended(&g, 0);
    assert_string_equal(g.text.p, "0123456789\n");
    end(&g);
    world_end(&w);
}

static void many_at_once(void **state)
{
    enum { N = 20 };
    struct world w = world_of("many-0", NULL);
    static struct got g[N];
    bool all = false;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        char run_id[16];

        (void)snprintf(run_id, sizeof(run_id), "many-%zu", i);
        begin(&g[i], w.sb, run_id, COUNT(1, 500), (struct capture_spec){0});
    }
    while (!all) {
        fx_run();
        all = true;
        for (size_t i = 0; i < N; i++)
            all = all && g[i].ended;
    }
    for (size_t i = 0; i < N; i++) {
        assert_ended(&g[i], 0);
        assert_counted(buf_str(&g[i].text), 1, 500);
        end(&g[i]);
    }
    world_end(&w);
}

/* Uploads have whatever mode the daemon gives them: what counts is the folder. A folder where
 * the token should be keeps the start from closing it. */
static void the_folder_is_closed_before_the_secret_comes(void **state)
{
    static const char open_it[] = "mkdir -p \"$HOME/.sandfleet/closed/1/token\" && "
                                  "chmod 755 \"$HOME/.sandfleet\"",
                      await[] = "i=0; until [ \"$(stat -c %a \"$HOME/.sandfleet\")\" = 700 ]; do "
                                "i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.05; done";
    struct world w = world_of("closed", NULL);
    struct got g = {0};
    struct secret *token = NULL;
    struct err e;

    (void)state;
    assert_int_equal(exit_of(&w, open_it), 0);
    assert_string_equal(err_name(secret_new(STR("canary"), &token, &e)), "OK");
    begin(&g, w.sb, w.run_id, "exit 0",
          (struct capture_spec){.credential = token, .credential_env = "TOKEN_FD"});
    assert_int_equal(exit_of(&w, await), 0);
    end(&g);
    secret_free(token);
    world_end(&w);
}

static void a_secret_arrives_and_leaves_no_file(void **state)
{
    struct world w = world_of("secret", NULL);
    struct got g = {0};
    struct secret *token = NULL;
    struct err e;

    (void)state;
    assert_string_equal(err_name(secret_new(STR("sk-canary-1234"), &token, &e)), "OK");
    begin(&g, w.sb, w.run_id,
          "cat <&\"$FD\"; echo; ls \"$HOME/.sandfleet/secret/1\" | grep -c token",
          (struct capture_spec){.credential = token, .credential_env = "FD"});
    secret_free(token);
    fx_run();
    assert_string_equal(g.e.msg, "");
    assert_string_equal(g.text.p, "sk-canary-1234\n0\n");
    end(&g);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(every_line_once),
        cmocka_unit_test(cuts_lose_and_double_nothing),
        cmocka_unit_test(without_streams_it_polls),
        cmocka_unit_test(another_goes_on_at_the_offset),
        cmocka_unit_test(a_resume_of_nothing_starts),
        cmocka_unit_test(a_resume_behind_the_end_ends),
        cmocka_unit_test(the_time_limit_is_124),
        cmocka_unit_test(kill_ends_the_agent),
        cmocka_unit_test(kill_ends_one_that_does_not_heed),
        cmocka_unit_test(kill_before_the_start_counts),
        cmocka_unit_test(a_deleted_sandbox_is_gone),
        cmocka_unit_test(a_dead_supervisor_is_internal),
        cmocka_unit_test(a_line_of_nine_megabytes_is_cut),
        cmocka_unit_test(a_pause_loses_nothing),
        cmocka_unit_test(a_pause_in_a_line_loses_nothing),
        cmocka_unit_test(a_flood_is_ended),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(the_folder_is_closed_before_the_secret_comes),
        cmocka_unit_test(a_secret_arrives_and_leaves_no_file),
    };
    struct CMUnitTest tests[COUNTOF(fixed) + COUNTOF(odd_rows)];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < COUNTOF(odd_rows); i++)
        tests[COUNTOF(fixed) + i] = (struct CMUnitTest){.name = odd_rows[i].run_id,
                                                        .test_func = bytes_come_as_they_are,
                                                        .initial_state = &odd_rows[i]};
    return cmocka_run_group_tests_name("capture", tests, fx_up, fx_down);
}

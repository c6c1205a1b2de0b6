/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a cancel ends an agent and all that it started, however they resist, and one that was
 * not started never is; it may be asked for at any time, and again. Proof: shell scripts as
 * agents in real sandboxes, and what is left of them. */
#include "capture_world.h"

#include "common/clock.h"

#define LEFT "pgrep -f 'sleep 98765[0-9]' >/dev/null"

/* KILL comes behind the grace; the supervisor's own, which would do, after ten seconds. */
enum { GRACE_MS = 1000, LONGEST_MS = 7000 };

struct row {
    const char *name, *agent;
    int status;
    const char *last; /* line */
};

static const struct row rows[] = {
    {"an interrupt is heeded, with a last word",
     "trap 'echo result; exit 0' INT\necho up\nwhile :; do sleep 0.05; done\n", 0, "result\n"},
    {"it comes once", /* and is counted at once: a shell that waits would take two for one */
     "trap 'echo \"INT $((n += 1))\"' INT\ntrap 'exit 9' TERM\necho up\n"
     "while :; do :; done\n",
     9, "INT 1\n"},
    {"TERM follows",
     "trap '' INT\ntrap 'echo bye; exit 3' TERM\necho up\n"
     "while :; do sleep 0.05; done\n",
     3, "bye\n"},
    {"then KILL", "trap '' INT TERM\necho up\nwhile :; do sleep 0.05; done\n", 137, "up\n"},
    {"tools in the agent's group go",
     "trap 'exit 0' INT\n(trap '' INT TERM; exec sleep 987650) &\necho up\n"
     "while :; do sleep 0.05; done\n",
     0, "up\n"},
    {"tools in sessions of their own go",
     "trap 'exit 0' INT\nsetsid sh -c 'trap \"\" INT TERM; exec sleep 987651' &\necho up\n"
     "while :; do sleep 0.05; done\n",
     0, "up\n"},
    {"tools that were orphaned go",
     "trap '' INT TERM\n(setsid sleep 987652 &)\necho up\nwhile :; do sleep 0.05; done\n", 137,
     "up\n"},
};

/* Looks inside for as long as the script does: 2 s. */
#define NONE_LEFT                                                                                  \
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do " LEFT                        \
    " || exit 0; sleep 0.1; done; exit 1"

static void ends(void **state)
{
    const struct row *row = *state;
    char run_id[32]; /* a sandbox a row: the service takes it for the key */
    snprintf(run_id, sizeof(run_id), "cancel-%d", (int)(row - rows));
    struct world w = world_of(run_id, NULL);
    struct got g = {.stop_at = 1};

    begin(&g, w.sb, w.run_id, row->agent, (struct capture_spec){0});
    fx_run();
    int64_t began = clock_boot_ms();
    capture_cancel(g.c, GRACE_MS);
    capture_cancel(g.c, GRACE_MS);
    while (!g.ended)
        fx_run();
    assert_in_range(clock_boot_ms() - began, 0, LONGEST_MS);
    assert_ended(&g, row->status);
    assert_true(g.text.len >= strlen(row->last));
    assert_string_equal(g.text.p + g.text.len - strlen(row->last), row->last);
    assert_int_equal(exit_of(&w, NONE_LEFT), 0);
    end(&g);
    world_end(&w);
}

static void one_that_was_not_started_never_is(void **state)
{
    struct world w = world_of("cancel-early", NULL);
    struct got g = {0}, later = {0};

    (void)state;
    begin(&g, w.sb, w.run_id, "echo up\nsleep 60\n", (struct capture_spec){0});
    capture_cancel(g.c, GRACE_MS);
    fx_run();
    assert_true(g.ended);
    assert_string_equal(g.e.msg, "");
    assert_int_equal(g.status, 130);
    assert_int_equal(g.lines + g.started, 0);
    assert_int_equal(exit_of(&w, "test -d ~/.sandfleet/cancel-early/1/started"), 0);
    /* another owner, who does not know of the cancel yet, and then does */
    begin(&later, w.sb, w.run_id, "echo up\nsleep 60\n", (struct capture_spec){.resume = true});
    capture_cancel(later.c, GRACE_MS);
    fx_run();
    assert_int_equal(later.status, 130);
    assert_int_equal(later.lines, 0);
    end(&g);
    end(&later);
    world_end(&w);
}

/* Its first owner is gone: what he began is found, and ended. */
static void one_that_another_started_is_found(void **state)
{
    struct world w = world_of("cancel-late", NULL);
    struct got first = {.stop_at = 1}, second = {0};

    (void)state;
    begin(&first, w.sb, w.run_id,
          "trap 'echo result; exit 0' INT\necho up\n"
          "while :; do sleep 0.05; done\n",
          (struct capture_spec){0});
    fx_run();
    end(&first);
    begin(&second, w.sb, w.run_id, "", (struct capture_spec){.resume = true});
    capture_cancel(second.c, GRACE_MS);
    fx_run();
    assert_true(second.ended);
    assert_int_equal(second.status, 0);
    assert_int_equal(second.lines, 2);
    end(&second);
    world_end(&w);
}

/* Cut in the middle by its owner's death: the next one does the rest. */
static void a_cancel_that_was_cut_is_done_by_the_next(void **state)
{
    struct world w = world_of("cancel-cut", NULL);
    struct got first = {.stop_at = 2}, second = {0};

    (void)state;
    begin(&first, w.sb, w.run_id,
          "trap 'echo INT' INT\ntrap '' TERM\necho up\n"
          "while :; do sleep 0.05; done\n",
          (struct capture_spec){0});
    first.stop_at = 1;
    fx_run();
    first.stop_at = 2;
    capture_cancel(first.c, GRACE_MS);
    fx_run(); /* the interrupt arrived, and was not heeded */
    assert_false(first.ended);
    end(&first);
    begin(&second, w.sb, w.run_id, "", (struct capture_spec){.resume = true});
    capture_cancel(second.c, GRACE_MS);
    fx_run();
    assert_true(second.ended);
    assert_int_equal(second.status, 137);
    end(&second);
    world_end(&w);
}

#define TOTAL(n)  "{\"type\":\"cost-state\",\"n\":" #n "}"
#define LEAVES(n) "echo '" TOTAL(n) "' >>~/.claude/projects/p/talk-1.jsonl\n"
#define BYE(last)                                                                                  \
    "bye() {\n" last "exit 0\n}\ntrap bye INT\necho up\nwhile :; do sleep 0.05; done\n"

static const struct cost_row {
    const char *name, *agent;
    bool wants;
    const char *before, *after;
} cost_rows[] = {
    {"left-a-total", BYE(LEAVES(2) LEAVES(3)), true, TOTAL(1), TOTAL(3)},
    {"left-none", BYE(":\n"), true, TOTAL(1), TOTAL(1)},
    {"left-what-it-said", BYE(LEAVES(2)), false, "", ""},
    {"lost-the-note-of-before", BYE(LEAVES(2) "rm ~/.sandfleet/*/1/cost\n"), true, "", ""},
};

/* A conversation that had a total before; other conversations, and other lines, are not it. */
static void what_it_cost_is_read_where_it_was_not_said(void **state)
{
    const struct cost_row *row = *state;
    struct world w = world_of(row->name, NULL);
    struct got g = {.stop_at = 1, .wants_cost = row->wants};

    assert_int_equal(
        exit_of(
            &w,
            "mkdir -p ~/.claude/projects/p\n" LEAVES(1) "cd ~/.claude/projects/p && echo '" TOTAL(
                9) "' >talk-2.jsonl &&"
                   "echo '{\"type\":\"user\",\"x\":" TOTAL(8) "}' >>talk-1.jsonl"),
        0);
    begin(&g, w.sb, w.run_id, row->agent, (struct capture_spec){.claude_session = "talk-1"});
    fx_run();
    capture_cancel(g.c, GRACE_MS);
    while (!g.ended)
        fx_run();
    assert_ended(&g, 0);
    assert_string_equal(g.cost_before, row->before);
    assert_string_equal(g.cost_after, row->after);
    end(&g);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(one_that_was_not_started_never_is),
        cmocka_unit_test(one_that_another_started_is_found),
        cmocka_unit_test(a_cancel_that_was_cut_is_done_by_the_next),
    };
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(cost_rows) + COUNTOF(fixed)], *t = tests;

    for (size_t i = 0; i < COUNTOF(rows); i++)
        *t++ = (struct CMUnitTest){
            .name = rows[i].name, .test_func = ends, .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < COUNTOF(cost_rows); i++)
        *t++ = (struct CMUnitTest){.name = cost_rows[i].name,
                                   .test_func = what_it_cost_is_read_where_it_was_not_said,
                                   .initial_state = (void *)(uintptr_t)&cost_rows[i]};
    memcpy(t, fixed, sizeof(fixed));
    return cmocka_run_group_tests_name("capture, cancelled", tests, fx_up, fx_down);
}

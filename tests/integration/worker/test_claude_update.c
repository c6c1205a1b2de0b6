/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: `claude update` holds nobody up: whatever it does, it is over by its limit, with all
 * that it started, and the run goes on. Proof: programs that do it well, badly, not at all and
 * for ever, in real sandboxes. */
#include "fixture.h"

#include "common/clock.h"
#include "common/log.h"
#include "worker/run/claude_update.h"

#include "common/banned.h"

enum { LIMIT_MS = 1000, SLACK_MS = 20 * 1000 };

static struct row {
    const char *name, *program; /* what `claude` is there */
    int64_t limit_ms, least_ms;
    const char *trace; /* what it left behind: "began", "ended" */
} rows[] = {
    {"it works", "echo began >>~/trace; echo ended >>~/trace", CLAUDE_UPDATE_MS, 0,
     "began\nended\n"},
    {"it fails", "echo began >>~/trace; exit 1", CLAUDE_UPDATE_MS, 0, "began\n"},
    {"it cannot be run", NULL, CLAUDE_UPDATE_MS, 0, ""},
    {"it takes too long", "echo began >>~/trace; sleep 600; echo ended >>~/trace", LIMIT_MS,
     LIMIT_MS, "began\n"},
};

static int dones;

static void on_done(void *ctx)
{
    (void)ctx;
    dones++;
    loop_stop(fx.loop);
}

static struct buf said;

static void on_said(void *ctx, struct str bytes)
{
    (void)ctx;
    buf_addstr(&said, bytes);
}

static void on_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    assert_int_equal(exit_code, 0);
    loop_stop(fx.loop);
}

/* What the script prints there. */
static const char *shell(struct sandbox *sb, const char *script, const char *word)
{
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_ended};
    const char *const args[] = {"-c", script, "sh", word, NULL};
    struct envd_stream *stream;
    struct err e;

    buf_release(&said);
    said = BUF_INIT(4096);
    assert_string_equal(
        err_name(envd_run(sandbox_envd(sb), &(struct envd_command){.cmd = "/bin/sh", .args = args},
                          &ev, NULL, &stream, &e)),
        "OK");
    fx_run();
    return said.p ? said.p : "";
}

static void put_program(struct sandbox *sb, const char *program)
{
    static const char script[] =
        "mkdir -p ~/.local/bin && cd ~/.local/bin && rm -f claude && "
        "{ [ -z \"$1\" ] || printf '#!/bin/sh\\n%s\\n' \"$1\"; } >claude && "
        "{ [ -z \"$1\" ] || chmod 755 claude; }";

    (void)shell(sb, script, program ? program : "");
}

static void holds_nobody_up(void **state)
{
    const struct row *row = *state;
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "claude", row->name);
    int64_t began;

    assert_non_null(got.sb);
    put_program(got.sb, row->program);
    dones = 0;
    began = clock_boot_ms();
    assert_non_null(claude_update_within(got.sb, row->limit_ms, on_done, NULL));
    fx_run();
    assert_in_range(clock_boot_ms() - began, row->least_ms, LIMIT_MS + SLACK_MS);
    assert_int_equal(dones, 1);
    assert_string_equal(shell(got.sb, "cat ~/trace 2>/dev/null; :", NULL), row->trace);
    assert_string_equal(shell(got.sb, "pgrep -f 'sleep 60[0]' || :", NULL), "");
    sandbox_free(got.sb);
    sandbox_service_free(s);
}

static struct policy {
    const char *name, *template;
    bool once, applies;
} policies[] = {
    {"once", "claude", true, true},
    {"never", "claude", false, false},
    {"once, but another template", "base", true, false},
};

static void is_done_by_policy(void **state)
{
    const struct policy *p = *state;

    assert_int_equal(claude_update_applies(p->once, p->template), p->applies);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + COUNTOF(policies)];
    size_t n = 0;

    log_setup(LOG_ERROR, LOG_TEXT, 2);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = holds_nobody_up, .initial_state = &rows[i]};
    for (size_t i = 0; i < COUNTOF(policies); i++)
        tests[n++] = (struct CMUnitTest){.name = policies[i].name,
                                         .test_func = is_done_by_policy,
                                         .initial_state = &policies[i]};
    return cmocka_run_group_tests_name("claude update", tests, fx_up, fx_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an agent that is stuck is ended with all that it started, and its run goes on by the
 * rules: once more, or by the result that it had printed; one that works or waits is left alone.
 * Proof: real agents in real sandboxes that get stuck, each with a worker of short limits, all at
 * once; what became of them is read from the log and the ledger. */
#include "cell.h"

#include "common/banned.h"

#define SAY(json) "echo '" json "'\n"
#define INIT      SAY("{\"type\":\"system\",\"subtype\":\"init\",\"k\":1}")
#define TOOL(k)                                                                                    \
    SAY("{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\"}]},\"k\":" k "}")
#define DONE(k)                                                                                    \
    SAY("{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\"}]},\"k\":" k "}")
#define RESULT(k) SAY("{\"type\":\"result\",\"is_error\":false,\"result\":\"done\",\"k\":" k "}")
#define TASKS(t, k)                                                                                \
    SAY("{\"type\":\"system\",\"subtype\":\"background_tasks_changed\",\"tasks\":[" t "],\"k\":" k \
        "}")
#define BEAT(k) SAY("{\"type\":\"tool_progress\",\"k\":" k "}")
#define HANGS   "sleep 600 & wait\n"

static const struct row {
    const char *name, *script;
    const char *state; /* and outcome, reason and whether synthetic, as the terminal has them */
    int starts, lines;
    bool beats; /* it lives long enough to say so */
} rows[] = {
    {"silence", INIT HANGS, "failed stalled silence true", 2, 2, true},
    {"nothing at all", HANGS, "failed stalled silence true", 2, 0, true},
    {"a tool's result that nothing follows", INIT TOOL("2") DONE("3") HANGS,
     "failed stalled after_tool_result true", 2, 6, false},
    {"alive behind its result", INIT RESULT("2") HANGS, "completed success  ", 1, 2, false},
    {"deaf, behind its result", "trap '' INT TERM\n" INIT RESULT("2") "while :; do sleep 1; done\n",
     "completed success  ", 1, 2, false},
    {"something in the background",
     INIT TASKS("{}", "2") RESULT("3") "sleep 1.5\n" TASKS("", "4")
         SAY("{\"type\":\"system\",\"subtype\":\"init\",\"k\":5}") RESULT("6"),
     "completed success  ", 1, 6, true},
    {"a tool that takes its time",
     INIT TOOL("2") "sleep 0.8\n" BEAT("3") "sleep 0.8\n" BEAT("4") "sleep 0.8\n" DONE("5")
         RESULT("6"),
     "completed success  ", 1, 6, true},
};

static const char *const limits[] = {"--silence-limit",
                                     "3s",
                                     "--tool-result-limit",
                                     "600ms",
                                     "--result-limit",
                                     "500ms",
                                     "--heartbeat",
                                     "250ms",
                                     NULL};

static void begin(struct cell *c, const struct row *row)
{
    AUTO_BUF script = BUF_INIT(8192);

    cell_open(c, row->name, (unsigned)(row - rows));
    buf_addf(&script, "echo start >>%s\n%s", c->starts, row->script);
    cell_submit(c, script.p, "");
    cell_worker(c, 0, NULL, limits);
}

static void check(struct cell *c, const struct row *row)
{
    static const char said[] = "SELECT concat_ws(' ', d->>'state', d->>'outcome', d->>'reason',"
                               " d->>'synthetic') FROM (SELECT terminal::json->'data' AS d"
                               " FROM ledger.claims) AS t";
    struct cell_log log = cell_read_log(c);
    char want[64];

    (void)snprintf(want, sizeof(want), STR_FMT, STR_ARG(str_trim(str_of(row->state))));
    cell_expect(c, said, want);
    if (cell_starts(c) != row->starts || log.lines != row->lines || log.terminals != 1 ||
        log.verdicts != row->starts || (log.of[EVENT_RUN_HEARTBEAT] > 0) < row->beats)
        fail_msg("%s: %d starts, %d lines, %d terminals, %d attempts ended, %d heartbeats; log: %s",
                 c->name, cell_starts(c), log.lines, log.terminals, log.verdicts,
                 log.of[EVENT_RUN_HEARTBEAT], c->log);
}

/* Ended, told, and no sandbox left. */
static void await_end(struct cell *c, struct sandbox_service *s)
{
    static const char over[] = "SELECT count(*) FROM ledger.claims WHERE state = 'ended'"
                               " AND published";
    int64_t until = clock_boot_ms() + CELL_WAIT_MS;

    while (strcmp(cell_ask(c, over), "1") != 0 || cell_sandboxes(c, s) > 0) {
        if (clock_boot_ms() > until)
            fail_msg("%s: does not end; log: %s", c->name, c->log);
        cell_nap();
    }
}

static void stuck_agents_are_ended(void **state)
{
    static struct cell cells[COUNTOF(rows)];
    struct sandbox_service *s = fx_service(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        begin(&cells[i], &rows[i]);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        await_end(&cells[i], s);
        check(&cells[i], &rows[i]);
        cell_stop(&cells[i], 0);
        cell_close(&cells[i]);
    }
    sandbox_service_free(s);
}

static int up(void **state)
{
    fx_not_isolated = true;
    return fx_up(state) == 0 ? cell_make_template(state) : -1;
}

static int down(void **state)
{
    (void)cell_drop_template(state);
    return fx_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stuck_agents_are_ended)};
    return cmocka_run_group_tests_name("stuck agents", tests, up, down);
}

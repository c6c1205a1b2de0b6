/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a worker that dies at any step of a run's life leaves the next one exactly one
 * thing to do: the run ends once, each line counts once and under its own number, no second
 * agent is started while the sandbox lives, its session has its transcript, and no sandbox is
 * left over.
 * Proof: a walk through all the steps by name. At each a worker is killed (SIGKILL, by
 * itself, at that very place: worker.faults), where the row says so its successor at another,
 * and one that lives goes on. Real Kafka, Postgres and sandboxes; each point is a cell of its
 * own, some of them at once. */
#include "cell.h"

#include "common/banned.h"

enum { AT_ONCE = 12 };

enum story {
    PLAIN,   /* one attempt, the sandbox is killed behind it */
    SESSION, /* the sandbox is parked for the session's next run */
    PAUSED,  /* the same, and paused */
    RETRIED  /* the first agent fails, the second does not */
};

static const struct story_row {
    bool session;
    const char *mode; /* of parking */
    int starts, kept; /* agents started; sandboxes that stay */
} stories[] = {
    [PLAIN] = {false, "keep", 1, 0},
    [SESSION] = {true, "keep", 1, 1},
    [PAUSED] = {true, "pause", 1, 1},
    [RETRIED] = {false, "keep", 2, 0},
};

static const struct point {
    enum story story;
    enum { PAUSES, ENDS } agent; /* it waits in its middle until that worker is dead, or not */
    const char *first, *second;  /* where the worker dies, and then its successor; NULL: not */
} points[] = {
    /* the claim, before and behind the record's offset */
    {PLAIN, PAUSES, "claims/saved/1", NULL},
    {PLAIN, PAUSES, "offsets/asked/1", NULL},
    {PLAIN, PAUSES, "take/answered/1", NULL},
    {PLAIN, PAUSES, "CLAIMED/entered/1", NULL},
    /* the sandbox's row, the sandbox, its id in the row */
    {PLAIN, PAUSES, "PLACING/entered/1", NULL},
    {PLAIN, PAUSES, "PLACING/asked/1", NULL},
    {PLAIN, PAUSES, "BOOTING/entered/1", NULL},
    {PLAIN, PAUSES, "BOOTING/asked/1", NULL},
    {PLAIN, PAUSES, "create/answered/1", NULL},
    {PLAIN, PAUSES, "OWNING/entered/1", NULL},
    {PLAIN, PAUSES, "OWNING/asked/1", NULL},
    {PLAIN, PAUSES, "UPDATING/entered/1", NULL},
    /* files in, supervisor up */
    {PLAIN, PAUSES, "STARTING/entered/1", NULL},
    {PLAIN, PAUSES, "STARTING/asked/1", NULL},
    {PLAIN, PAUSES, "folder/made/1", NULL},
    {PLAIN, PAUSES, "upload/answered/1", NULL},
    {PLAIN, PAUSES, "upload/answered/2", NULL},
    {PLAIN, PAUSES, "upload/answered/3", NULL},
    {PLAIN, PAUSES, "start/asked/1", NULL},
    {PLAIN, PAUSES, "start/answered/1", NULL},
    {PLAIN, PAUSES, "STREAMING/entered/1", NULL},
    {PLAIN, PAUSES, "STREAMING/asked/1", NULL},
    {PLAIN, PAUSES, "start/saved/1", NULL},
    /* lines out, and how far they are */
    {PLAIN, PAUSES, "line/published/1", NULL},
    {PLAIN, PAUSES, "line/published/5", NULL},
    {PLAIN, PAUSES, "line/acknowledged/5", NULL},
    {PLAIN, PAUSES, "position/asked/1", NULL},
    {PLAIN, PAUSES, "position/saved/1", NULL},
    {PLAIN, ENDS, "line/published/8", NULL},
    /* the end */
    {PLAIN, ENDS, "SETTLING/entered/1", NULL},
    {PLAIN, ENDS, "verdict/published/1", NULL},
    {PLAIN, ENDS, "PARKING/entered/1", NULL},
    {PLAIN, ENDS, "CLOSING/entered/1", NULL},
    {PLAIN, ENDS, "CLOSING/asked/1", NULL},
    {PLAIN, ENDS, "PUBLISHING/entered/1", NULL},
    {PLAIN, ENDS, "PUBLISHING/asked/1", NULL},
    {PLAIN, ENDS, "MARKING/entered/1", NULL},
    {PLAIN, ENDS, "MARKING/asked/1", NULL},
    {PLAIN, ENDS, "CLEANING/entered/1", NULL},
    {PLAIN, ENDS, "CLEANING/asked/1", NULL},
    {PLAIN, ENDS, "kill/answered/1", NULL},
    {PLAIN, ENDS, "GONE/entered/1", NULL},
    /* the sandbox becomes the session's */
    {SESSION, ENDS, "PARKING/entered/1", NULL},
    {SESSION, ENDS, "PARKING/asked/1", NULL},
    {SESSION, ENDS, "transcript/owned/1", NULL},
    {SESSION, ENDS, "transcript/stored/1", NULL},
    {SESSION, ENDS, "transcript/kept/1", NULL},
    {SESSION, ENDS, "park/answered/1", NULL},
    {SESSION, ENDS, "CLOSING/entered/1", NULL},
    {SESSION, ENDS, "PUBLISHING/entered/1", NULL},
    {SESSION, ENDS, "GONE/entered/1", NULL},
    {PAUSED, ENDS, "PARKING/asked/1", NULL},
    {PAUSED, ENDS, "pause/answered/1", NULL},
    {PAUSED, ENDS, "PUBLISHING/entered/1", NULL},
    /* the next attempt */
    {RETRIED, ENDS, "verdict/published/1", NULL},
    {RETRIED, ENDS, "RELEASING/entered/1", NULL},
    {RETRIED, ENDS, "REQUEUEING/entered/1", NULL},
    {RETRIED, ENDS, "REQUEUEING/asked/1", NULL},
    {RETRIED, ENDS, "CLEANING/entered/1", NULL},
    {RETRIED, ENDS, "kill/answered/1", NULL},
    {RETRIED, ENDS, "BOOTING/entered/2", NULL},
    {RETRIED, ENDS, "line/published/6", NULL},
    /* and during the takeover itself */
    {PLAIN, PAUSES, "OWNING/entered/1", "take over/answered/1"},
    {PLAIN, PAUSES, "line/published/5", "take over/answered/1"},
    {PLAIN, PAUSES, "line/published/5", "CLAIMED/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "PLACING/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "BOOTING/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "connect/answered/1"},
    {PLAIN, PAUSES, "line/published/5", "OWNING/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "STARTING/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "agent/found/1"},
    {PLAIN, PAUSES, "folder/made/1", "agent/not found/1"},
    {PLAIN, PAUSES, "line/published/5", "STREAMING/entered/1"},
    {PLAIN, PAUSES, "line/published/5", "line/published/1"},
    {PLAIN, ENDS, "verdict/published/1", "verdict/published/1"},
    {PLAIN, ENDS, "CLOSING/asked/1", "CLOSING/asked/1"},
    {SESSION, ENDS, "park/answered/1", "park/answered/1"},
    {SESSION, ENDS, "transcript/stored/1", "transcript/stored/1"},
    {PLAIN, ENDS, "PUBLISHING/entered/1", "outbox/answered/1"},
};

/* --- one point after the other ----------------------------------------------- */

enum phase { FREE, FIRST, SECOND, LAST, LEAVING };

struct walker { /* at one point */
    const struct point *at;
    enum phase phase;
    struct cell cell;
    char name[96];
    int64_t until_ms;
};

static void start_worker(struct walker *w, enum phase phase)
{
    const char *fault = phase == FIRST ? w->at->first : phase == SECOND ? w->at->second : NULL;

    w->phase = phase;
    w->until_ms = clock_boot_ms() + CELL_WAIT_MS;
    char store[512];

    (void)snprintf(store, sizeof(store), "%s/store", fx.dir);
    cell_worker(
        &w->cell, 0, fault,
        (const char *const[]){"--park-mode", stories[w->at->story].mode, "--store", store, NULL});
}

static void begin(struct walker *w, const struct point *at)
{
    AUTO_BUF agent = BUF_INIT(8192), more = BUF_INIT(256);

    w->at = at;
    (void)snprintf(w->name, sizeof(w->name), "%d: %s%s%s", (int)at->story, at->first,
                   at->second ? ", then " : "", at->second ? at->second : "");
    cell_open(&w->cell, w->name, (unsigned)(at - points));
    if (at->agent == ENDS)
        cell_go_on(&w->cell);
    cell_agent(&w->cell, at->story == RETRIED, &agent);
    if (stories[at->story].session) /* whose id is the record's key */
        buf_addf(&more, ",\"session\":{\"id\":\"%s\"}", w->cell.run_id);
    cell_submit(&w->cell, agent.p, more.p ? more.p : "");
    start_worker(w, FIRST);
}

static void check(struct walker *w)
{
    const struct story_row *story = &stories[w->at->story];
    struct cell *c = &w->cell;
    struct cell_log log = cell_read_log(c);
    int lines = CELL_LINES + (w->at->story == RETRIED ? 4 : 0);

    if (cell_starts(c) != story->starts)
        fail_msg("%s: %d agents were started; log: %s", c->name, cell_starts(c), c->log);
    if (log.lines != lines || log.terminals != 1 || log.verdicts != story->starts ||
        strcmp(log.state, "sandfleet.run.completed") != 0 || log.old_behind != 0)
        fail_msg("%s: %d lines, %d attempts ended, %d terminals (%s), %d records behind a higher "
                 "epoch's; log: %s",
                 c->name, log.lines, log.verdicts, log.terminals, log.state, (int)log.old_behind,
                 c->log);
    cell_expect(c, "SELECT count(*) FROM ledger.claims", "1");
    cell_expect(c,
                "SELECT count(*) || '/' || count(t.key) || '/' || (SELECT count(*) FROM"
                " ledger.transcripts WHERE state = 'storing') FROM ledger.sessions s"
                " LEFT JOIN ledger.transcripts t ON t.key = s.transcript AND t.state = 'kept'",
                story->session ? "1/1/0" : "0/0/0");
}

/* Ended, told, and nothing left over but what the session may keep. */
static bool is_over(struct walker *w, struct sandbox_service *s)
{
    static const char over[] = "SELECT count(*) FROM ledger.claims WHERE state = 'ended'"
                               " AND published";
    static const char rows[] = "SELECT (count(*) FILTER (WHERE state IN ('parked', 'paused')))"
                               " || '/' || count(*) FROM ledger.sandboxes";
    int kept = stories[w->at->story].kept;
    char want[16];

    (void)snprintf(want, sizeof(want), "%d/%d", kept, kept);
    return strcmp(cell_ask(&w->cell, over), "1") == 0 &&
           strcmp(cell_ask(&w->cell, rows), want) == 0 && cell_sandboxes(&w->cell, s) == kept;
}

/* One that had nothing left to do may have been told to go before it was up. */
static void finish(struct walker *w, int status)
{
    if (status != 0 && status != 128 + SIGTERM)
        fail_msg("%s: the last worker ended with %d; log: %s", w->name, status, w->cell.log);
    check(w);
    cell_close(&w->cell);
    w->phase = FREE;
}

static void step(struct walker *w, struct sandbox_service *s)
{
    int status;

    if (clock_boot_ms() > w->until_ms)
        fail_msg("%s: still waiting for its %s; log: %s", w->name,
                 w->phase < LAST ? "death" : "end", w->cell.log);
    if (w->phase == LAST) {
        if (!is_over(w, s))
            return;
        (void)kill(w->cell.workers[0], SIGTERM);
        w->phase = LEAVING;
        return;
    }
    status = cell_ended(&w->cell, 0);
    if (status < 0)
        return;
    if (w->phase == LEAVING) {
        finish(w, status);
        return;
    }
    if (status != 128 + SIGKILL)
        fail_msg("%s: ended with %d; log: %s", w->name, status, w->cell.log);
    cell_go_on(&w->cell);
    start_worker(w, w->phase == FIRST && w->at->second ? SECOND : LAST);
}

static void killed_at_each_point(void **state)
{
    static struct walker walkers[AT_ONCE];
    struct sandbox_service *s = fx_service(NULL, NULL);
    const char *only = getenv("SANDFLEET_POINT"); /* to look at one of them */
    size_t next = 0, busy;

    (void)state;
    do {
        busy = 0;
        for (size_t i = 0; i < AT_ONCE; i++) {
            while (walkers[i].phase == FREE && next < COUNTOF(points)) {
                const struct point *at = &points[next++];
                if (!only || strcmp(only, at->first) == 0)
                    begin(&walkers[i], at);
            }
            if (walkers[i].phase == FREE)
                continue;
            busy++;
            step(&walkers[i], s);
        }
        cell_nap();
    } while (busy > 0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_each_point)};
    return cmocka_run_group_tests_name("worker kill points", tests, up, down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever two owners of a run put on the log, every reader that counts by the
 * judge comes to the same rows: sequences 1..n, each line once and in order, the terminal
 * last; and a reader that starts again from any saved state goes on the same way.
 * Proof: a table of single moves, and random interleavings of owners that crash, resend
 * and wake up as zombies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/attrs.h"
#include "schema/judge.h"
#include "common/banned.h"

#define LINE    EVENT_AGENT_MESSAGE
#define CONTROL EVENT_RUN_WARNING
#define CLOSE   EVENT_ATTEMPT_ENDED
#define END     EVENT_RUN_COMPLETED

/* 12 records, attempt 1 at line 7 and control 3 of epoch 2 */
#define AT_7 {.sequence = 12, .epoch = 2, .control_n = 3, .attempt = 1, .line = 7}

static struct move {
    const char *name;
    struct judge before;
    enum event_type type;
    int64_t attempt, epoch, n;
    enum verdict want;
    int64_t missing;
} moves[] = {
    {"the first record", {0}, CONTROL, 1, 1, 1, JUDGE_STORE, 0},
    {"the first line", {0}, LINE, 1, 1, 1, JUDGE_STORE, 0},
    {"the first line is not line 1", {0}, LINE, 1, 1, 3, JUDGE_GAP, 2},
    {"the next line", AT_7, LINE, 1, 2, 8, JUDGE_STORE, 0},
    {"the same line again", AT_7, LINE, 1, 2, 7, JUDGE_REPEAT, 0},
    {"the same line by the next owner", AT_7, LINE, 1, 3, 7, JUDGE_REPEAT, 0},
    {"a line is missing", AT_7, LINE, 1, 2, 9, JUDGE_GAP, 1},
    {"the next owner goes on", AT_7, LINE, 1, 3, 8, JUDGE_STORE, 0},
    {"the next attempt", AT_7, LINE, 2, 2, 1, JUDGE_STORE, 0},
    {"the next attempt, a line missing", AT_7, LINE, 2, 2, 2, JUDGE_GAP, 1},
    {"an old owner's line", AT_7, LINE, 1, 1, 8, JUDGE_SUPERSEDED, 0},
    {"an old owner's control", AT_7, CONTROL, 1, 1, 9, JUDGE_SUPERSEDED, 0},
    {"an old owner's terminal", AT_7, END, 1, 1, 9, JUDGE_SUPERSEDED, 0},
    {"the next control", AT_7, CONTROL, 1, 2, 4, JUDGE_STORE, 0},
    {"a control number may jump", AT_7, CONTROL, 1, 2, 6, JUDGE_STORE, 0},
    {"the same control again", AT_7, CONTROL, 1, 2, 3, JUDGE_REPEAT, 0},
    {"a new epoch counts anew", AT_7, CONTROL, 1, 3, 1, JUDGE_STORE, 0},
    {"a control of an ended attempt",
     {.epoch = 1, .control_n = 1, .attempt = 2},
     CONTROL,
     1,
     1,
     2,
     JUDGE_STORE,
     0},
    {"a line of an ended attempt",
     {.epoch = 1, .control_n = 1, .attempt = 2},
     LINE,
     1,
     1,
     2,
     JUDGE_SUPERSEDED,
     0},
    {"an attempt's end", AT_7, CLOSE, 1, 2, 4, JUDGE_STORE, 0},
    {"the same end by the next owner",
     {.epoch = 1, .control_n = 4, .attempt = 1, .line = 7, .closed = 1},
     CLOSE,
     1,
     2,
     2,
     JUDGE_REPEAT,
     0},
    {"the next attempt's end",
     {.epoch = 1, .control_n = 4, .attempt = 1, .line = 7, .closed = 1},
     CLOSE,
     2,
     1,
     5,
     JUDGE_STORE,
     0},
    {"a line behind the terminal",
     {.epoch = 1, .attempt = 1, .ended = true},
     LINE,
     1,
     1,
     1,
     JUDGE_SUPERSEDED,
     0},
    {"a second terminal",
     {.epoch = 1, .attempt = 1, .ended = true},
     END,
     1,
     2,
     1,
     JUDGE_SUPERSEDED,
     0},
};

static void check(void **state)
{
    const struct move *row = *state;
    struct event e = {.type = row->type, .attempt = row->attempt, .epoch = row->epoch, .n = row->n};
    struct judge j = row->before;
    int64_t missing = -1;
    bool counts = row->want == JUDGE_STORE || row->want == JUDGE_GAP;

    assert_int_equal(judge_next(&j, &e, &missing), row->want);
    assert_int_equal(missing, row->missing);
    assert_int_equal(j.sequence, row->before.sequence + counts);
    if (counts)
        assert_int_equal(j.epoch, row->epoch);
    else
        assert_memory_equal(&j, &row->before, sizeof(j));
}

/* --- the property --------------------------------------------------------------- */

enum { LOG_MAX = 4000, LINES_MAX = 40, ROUNDS = 20000 };

static uint64_t seed;

static unsigned pick(unsigned n) /* xorshift: the same rounds everywhere */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

struct log {
    struct event at[LOG_MAX];
    size_t n;
};

static void append(struct log *log, enum event_type type, int64_t attempt, int64_t epoch, int64_t n)
{
    if (log->n < LOG_MAX)
        log->at[log->n++] =
            (struct event){.type = type, .attempt = attempt, .epoch = epoch, .n = n};
}

/* What one owner publishes, in its order; the log interleaves owners. */
struct owner {
    int64_t epoch, control, attempt, line;
    bool done;
};

struct world {
    struct log log;
    int64_t lines[8]; /* of each attempt's file */
    int64_t attempts; /* how many there will be */
    int64_t acked;    /* last line of the attempt that the ledger knows of */
    int64_t attempt;  /* that the ledger knows of */
};

/* The ledger's position is behind the log's: lines were published and not recorded. */
static struct owner take_over(struct world *w, int64_t epoch)
{
    struct owner o = {.epoch = epoch, .attempt = w->attempt, .line = w->acked};

    if (pick(2) == 0) /* else a line is the first of its epoch */
        append(&w->log, EVENT_RUN_RESUMED, o.attempt, epoch, ++o.control);
    return o;
}

static void resend(struct world *w, const struct owner *o)
{
    if (o->line > 0)
        append(&w->log, LINE, o->attempt, o->epoch, o->line);
    if (o->control > 0)
        append(&w->log, CONTROL, o->attempt, o->epoch, o->control);
}

/* One step of the owner that the ledger knows. */
static void step(struct world *w, struct owner *o)
{
    if (o->line < w->lines[o->attempt]) {
        append(&w->log, LINE, o->attempt, o->epoch, ++o->line);
        if (pick(3) == 0)
            w->acked = o->line;
    } else if (o->attempt < w->attempts) {
        append(&w->log, CLOSE, o->attempt, o->epoch, ++o->control);
        if (pick(4) == 0) /* it dies before the ledger hears of it */
            return;
        w->attempt = ++o->attempt;
        w->acked = o->line = 0;
        append(&w->log, EVENT_ATTEMPT_STARTING, o->attempt, o->epoch, ++o->control);
    } else {
        append(&w->log, END, o->attempt, o->epoch, ++o->control);
        o->done = true;
    }
    if (pick(8) == 0)
        resend(w, o);
}

/* A zombie knows no better: it goes on with its attempt's lines, and has no terminal,
 * since the ledger refused it. */
static void zombie_step(struct world *w, struct owner *o)
{
    if (o->line < w->lines[o->attempt])
        append(&w->log, LINE, o->attempt, o->epoch, ++o->line);
    else
        append(&w->log, CONTROL, o->attempt, o->epoch, ++o->control);
}

static void play(struct world *w)
{
    struct owner now, zombie = {0};
    int64_t epoch = 1;

    *w = (struct world){.attempts = 1 + pick(3), .attempt = 1};
    for (int64_t a = 1; a <= w->attempts; a++)
        w->lines[a] = pick(LINES_MAX);
    now = take_over(w, epoch);
    while (!now.done) {
        if (pick(12) == 0 && epoch < 20) { /* it is taken for dead; it may not be */
            zombie = now;
            now = take_over(w, ++epoch);
        }
        if (zombie.epoch > 0 && pick(3) == 0)
            zombie_step(w, &zombie);
        step(w, &now);
    }
    for (unsigned tail = pick(4); tail > 0; tail--) {
        append(&w->log, END, now.attempt, now.epoch, now.control); /* the outbox */
        if (zombie.epoch > 0)
            zombie_step(w, &zombie);
    }
}

/* What a reader keeps. */
struct rows {
    struct event at[LOG_MAX];
    size_t n;
};

static void read_log(const struct log *log, size_t from, size_t to, struct judge *j,
                     struct rows *rows)
{
    for (size_t i = from; i < to; i++) {
        int64_t missing;
        enum verdict v = judge_next(j, &log->at[i], &missing);

        assert_int_not_equal(v, JUDGE_GAP);
        if (v != JUDGE_STORE)
            continue;
        assert_int_equal(j->sequence, rows->n + 1);
        rows->at[rows->n++] = log->at[i];
    }
}

static void assert_every_line_once(const struct world *w, const struct rows *rows)
{
    int64_t next[8] = {0};

    for (size_t i = 0; i < rows->n; i++)
        if (event_is_line(rows->at[i].type))
            assert_int_equal(rows->at[i].n, ++next[rows->at[i].attempt]);
    for (int64_t a = 1; a <= w->attempts; a++)
        assert_int_equal(next[a], w->lines[a]);
}

static void assert_attempts_end_once(const struct world *w, const struct rows *rows)
{
    int ends[8] = {0};

    for (size_t i = 0; i < rows->n; i++)
        ends[rows->at[i].attempt] += rows->at[i].type == CLOSE;
    for (int64_t a = 1; a < w->attempts; a++)
        assert_int_equal(ends[a], 1);
}

static void assert_terminal_last(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        assert_int_equal(event_is_terminal(rows->at[i].type), i == rows->n - 1);
}

static void interleavings(void **state)
{
    static struct world w;
    static struct rows live, again;

    (void)state;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        struct judge j = {0}, saved;
        size_t cut;

        seed = round * UINT64_C(0x9e3779b97f4a7c15);
        play(&w);
        live.n = again.n = 0;
        read_log(&w.log, 0, w.log.n, &j, &live);
        assert_every_line_once(&w, &live);
        assert_attempts_end_once(&w, &live);
        assert_terminal_last(&live);

        /* a reader that saved its state in the middle, field by field, and died */
        j = (struct judge){0};
        cut = pick((unsigned)w.log.n);
        read_log(&w.log, 0, cut, &j, &again);
        saved =
            (struct judge){j.sequence, j.epoch, j.control_n, j.attempt, j.line, j.closed, j.ended};
        read_log(&w.log, cut, w.log.n, &saved, &again);
        assert_int_equal(again.n, live.n);
        assert_memory_equal(again.at, live.at, live.n * sizeof(live.at[0]));
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(moves) + 1];

    for (size_t i = 0; i < COUNTOF(moves); i++)
        tests[i] = (struct CMUnitTest){
            .name = moves[i].name, .test_func = check, .initial_state = &moves[i]};
    tests[COUNTOF(moves)] = (struct CMUnitTest)cmocka_unit_test(interleavings);
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever crashes, sleeps, is late or gets lost between workers and the ledger, a run
 * never has two owners that may publish, no claim of a living worker moves, and every run ends.
 * Proof: thousands of short histories in a simulated world (workers by lease.h, a ledger, a log;
 * the time is the world's, the faults come from a seed), and the same with one rule broken at
 * a time, which must be noticed. Workers here decide as worker/fleet/fleet_lease.c does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "worker/ledger/lease.h"
#include "common/banned.h"

enum {
    LEASE = 1000,
    STEP = 20,
    WORKERS = 3,
    NAMES = 64, /* of all workers of a history: one that starts again has a new name */
    RUNS = 4,
    LINES = 20,     /* of a run */
    ASKED = 8,      /* questions under way on one connection */
    COMPARE = 5000, /* with the ledger, in any case */
    CALM = 8000,    /* no more harm */
    OVER = 30000,
    HISTORIES = 20000
};

enum bug {
    NONE,
    NO_MARGIN,     /* a lease holds until its very end */
    BY_RECEIPT,    /* …counted from when the beat was answered */
    NO_SILENCE,    /* an outage of the ledger counts as the others' silence */
    ANY_COUNTER,   /* whoever was dead when looked at is taken over, though it beats again */
    NO_EPOCH,      /* an end is taken from anybody */
    NO_COMPARISON, /* a lease that lapsed holds again with the next beat */
    BUGS
};

enum question { BEAT, PEERS, MINE, TAKE, TAKE_OVER, CLOSE };

struct asked {
    enum question what;
    int64_t sent, done_at, answer_at;
    bool done, failed, lost;
    int peer, run; /* TAKE_OVER: whom; CLOSE: what */
    int64_t counter, epoch;
    bool known[RUNS]; /* MINE: …and those are not given back */
    bool may_disown;
    struct {
        int64_t epoch, line;
    } rows[RUNS]; /* the answer: 0: not mine */
    int64_t counters[NAMES];
};

struct connection { /* answers come in the order of the questions */
    struct asked at[ASKED];
    size_t n;
};

struct mine {
    int64_t epoch; /* 0: not worked on */
    int64_t line;
    int64_t arrives_at; /* a record on its way to the log; 0: none */
    bool slept;         /* …whose worker slept meanwhile: it may come behind others */
    bool closing;
};

struct worker {
    int name;                               /* -1: not there */
    int64_t cut_until;                      /* off from the ledger */
    int64_t asleep_until, starts_at, clock; /* its clock is ahead of the world's by so much */
    struct lease lease;
    int64_t next_beat, next_look, next_compare;
    bool muted, reconcile;
    struct connection beats, rest;
    struct mine runs[RUNS];
};

static struct world {
    enum bug bug;
    uint64_t seed;
    unsigned peace; /* so many steps between two harms, on average */
    int64_t now, down_until;
    struct worker workers[WORKERS];
    int names;
    int64_t counter[NAMES];  /* -1: not registered */
    int64_t slept_at[NAMES]; /* when it last was asleep, cut off, or ended */
    struct {
        int owner; /* name; -1: nobody's */
        int64_t epoch, line;
        bool taken, ended;
        int64_t published; /* highest epoch that published */
        int64_t arrived;   /* …in the log */
    } runs[RUNS];
    char wrong[160]; /* "" nothing so far */
} w;

static unsigned pick(unsigned n)
{
    w.seed ^= w.seed << 13;
    w.seed ^= w.seed >> 7;
    w.seed ^= w.seed << 17;
    return (unsigned)(w.seed >> 33) % n;
}

static void wrong(const char *what, int run)
{
    if (w.wrong[0] == '\0')
        snprintf(w.wrong, sizeof(w.wrong), "%s (run %d, %d ms)", what, run, (int)w.now);
}

static int64_t clock_of(const struct worker *k)
{
    return w.now + k->clock;
}

static bool holds(const struct worker *k)
{
    if (w.bug == NO_MARGIN)
        return k->lease.beat_ms != 0 && clock_of(k) - k->lease.beat_ms < LEASE;
    return lease_holds(&k->lease, clock_of(k));
}

static bool may_publish(struct worker *k)
{
    if (!holds(k))
        k->muted = true;
    return !k->muted;
}

/* --- the ledger --------------------------------------------------------------- */

static void take_over(struct asked *q, const struct worker *k)
{
    if (w.bug != ANY_COUNTER && w.counter[q->peer] != q->counter)
        return;
    for (int r = 0; r < RUNS; r++) {
        if (w.runs[r].ended || w.runs[r].owner != q->peer)
            continue;
        if (w.now - w.slept_at[q->peer] > 2 * LEASE)
            wrong("a living worker's claim moved", r);
        w.runs[r].owner = k->name;
        q->rows[r].epoch = ++w.runs[r].epoch;
        q->rows[r].line = w.runs[r].line;
    }
    w.counter[q->peer] = -1; /* buried: nothing is left of it */
}

/* What waits, and what a buried worker had asked for before its death. */
static void take(struct asked *q, const struct worker *k)
{
    for (int r = 0; r < RUNS; r++) {
        int owner = w.runs[r].owner;
        if (w.runs[r].ended || (owner >= 0 && w.counter[owner] >= 0))
            continue;
        w.runs[r].owner = k->name;
        q->rows[r].epoch = ++w.runs[r].epoch;
        q->rows[r].line = w.runs[r].line;
    }
}

static void mine(struct asked *q, const struct worker *k)
{
    for (int r = 0; r < RUNS; r++) {
        if (w.runs[r].ended || w.runs[r].owner != k->name)
            continue;
        q->rows[r].epoch = w.runs[r].epoch;
        if (q->may_disown && !q->known[r])
            w.runs[r].owner = -1;
    }
}

static void do_it(struct asked *q, const struct worker *k)
{
    switch (q->what) {
    case BEAT:
        w.counter[k->name]++;
        break;
    case PEERS:
        memcpy(q->counters, w.counter, sizeof(q->counters));
        break;
    case MINE:
        mine(q, k);
        break;
    case TAKE:
        take(q, k);
        break;
    case TAKE_OVER:
        take_over(q, k);
        break;
    case CLOSE:
        if (w.bug != NO_EPOCH && (w.runs[q->run].epoch != q->epoch || w.runs[q->run].ended))
            break;
        if (w.runs[q->run].ended || w.runs[q->run].epoch != q->epoch)
            wrong("an end by somebody else", q->run);
        w.runs[q->run].ended = true;
        break;
    }
}

/* --- asking --------------------------------------------------------------------- */

static struct asked *ask(struct worker *k, enum question what)
{
    struct connection *c = what == BEAT ? &k->beats : &k->rest;
    struct asked *q = &c->at[c->n], *before = c->n > 0 ? &c->at[c->n - 1] : NULL;
    int64_t slow = pick(20) == 0 ? 15 * STEP : STEP;

    if (c->n == ASKED)
        return NULL;
    c->n++;
    *q = (struct asked){.what = what, .sent = clock_of(k)};
    q->done_at = w.now + pick((unsigned)slow);
    q->answer_at = q->done_at + pick((unsigned)slow);
    q->lost = pick(40) == 0; /* what was asked for is done, and nobody hears of it */
    if (before && q->done_at < before->done_at)
        q->done_at = before->done_at;
    if (before && q->answer_at < before->answer_at)
        q->answer_at = before->answer_at;
    return q;
}

static bool under_way(const struct worker *k, enum question what)
{
    const struct connection *c = what == BEAT ? &k->beats : &k->rest;

    for (size_t i = 0; i < c->n; i++)
        if (c->at[i].what == what)
            return true;
    return false;
}

static void compare(struct worker *k)
{
    struct asked *q = ask(k, MINE);

    k->reconcile = !q;
    if (!q)
        return;
    q->may_disown = !under_way(k, TAKE) && !under_way(k, TAKE_OVER);
    k->reconcile = !q->may_disown;
    for (int r = 0; r < RUNS; r++)
        q->known[r] = k->runs[r].epoch > 0;
}

static int name_of(const char *worker_id)
{
    return (int)strtol(worker_id, NULL, 10);
}

/* --- answers -------------------------------------------------------------------- */

static void look_at_peers(struct worker *k, const struct asked *q)
{
    struct err err = ERR_INIT;
    char id[16];

    if (w.bug == NO_SILENCE)
        k->lease.answered_ms = clock_of(k);
    lease_look_begin(&k->lease, q->sent, clock_of(k));
    for (int name = 0; name < w.names; name++) {
        if (name == k->name || q->counters[name] < 0)
            continue;
        snprintf(id, sizeof(id), "%d", name);
        assert_int_equal(lease_look(&k->lease, id, q->counters[name], &err), ERR_OK);
    }
    lease_look_end(&k->lease);
    if (!may_publish(k))
        return;
    for (size_t i = 0; i < k->lease.n; i++) {
        struct asked *over = lease_dead(&k->lease, &k->lease.peers[i]) ? ask(k, TAKE_OVER) : NULL;
        if (over) {
            over->peer = name_of(k->lease.peers[i].worker_id);
            over->counter = k->lease.peers[i].counter;
        }
    }
    if (!under_way(k, TAKE))
        (void)ask(k, TAKE);
}

static void add_runs(struct worker *k, const struct asked *q)
{
    for (int r = 0; r < RUNS; r++)
        if (q->rows[r].epoch > 0)
            k->runs[r] = (struct mine){.epoch = q->rows[r].epoch, .line = q->rows[r].line};
}

static void keep_mine(struct worker *k, const struct asked *q)
{
    if (!holds(k)) {
        k->reconcile = true;
        return;
    }
    k->muted = false;
    for (int r = 0; r < RUNS; r++)
        if (k->runs[r].epoch != q->rows[r].epoch)
            k->runs[r].epoch = 0;
}

static void beaten(struct worker *k, const struct asked *q)
{
    lease_beaten(&k->lease, w.bug == BY_RECEIPT ? clock_of(k) : q->sent);
    if (w.bug == NO_COMPARISON)
        k->muted = false;
    if (k->muted || k->reconcile)
        compare(k);
}

static void answered(struct worker *k, const struct asked *q)
{
    bool failed = q->failed || q->lost;

    if (failed && (q->what == TAKE || q->what == TAKE_OVER || q->what == MINE))
        k->reconcile = true;
    if (q->what == CLOSE)
        k->runs[q->run].closing = false;
    if (failed)
        return;
    switch (q->what) {
    case BEAT:
        beaten(k, q);
        break;
    case PEERS:
        look_at_peers(k, q);
        break;
    case MINE:
        keep_mine(k, q);
        break;
    case TAKE:
    case TAKE_OVER:
        add_runs(k, q);
        break;
    case CLOSE:
        if (k->runs[q->run].epoch == q->epoch)
            k->runs[q->run].epoch = 0;
        break;
    }
}

/* What a worker asked is done whether it still lives or not. */
static void turn_connection(struct worker *k, struct connection *c, bool awake)
{
    bool down = w.now < w.down_until || w.now < k->cut_until;

    for (size_t i = 0; i < c->n; i++) {
        struct asked *q = &c->at[i];
        if (q->done || q->done_at > w.now)
            continue;
        q->done = true;
        q->failed = down;
        if (!down)
            do_it(q, k);
    }
    while (awake && c->n > 0 && c->at[0].done && c->at[0].answer_at <= w.now) {
        struct asked q = c->at[0];
        memmove(&c->at[0], &c->at[1], --c->n * sizeof(c->at[0]));
        answered(k, &q);
    }
}

/* --- publishing ------------------------------------------------------------------- */

static void arrive(struct mine *m, int r)
{
    if (m->arrives_at == 0 || m->arrives_at > w.now)
        return;
    if (m->epoch < w.runs[r].arrived && !m->slept)
        wrong("an old owner's record behind its successor's", r);
    if (m->epoch > w.runs[r].arrived)
        w.runs[r].arrived = m->epoch;
    if (m->epoch == w.runs[r].epoch && m->line > w.runs[r].line)
        w.runs[r].line = m->line; /* acknowledged, and the position saved */
    m->arrives_at = 0;
}

static void publish(struct worker *k, int r)
{
    struct mine *m = &k->runs[r];

    if (m->epoch == 0 || m->arrives_at > 0 || m->closing || !may_publish(k) || pick(3) > 0)
        return;
    if (m->epoch < w.runs[r].published)
        wrong("two owners publish", r);
    w.runs[r].published = m->epoch;
    if (m->line < LINES) {
        m->line++;
        m->slept = false;
        m->arrives_at = w.now + 1 + pick(LEASE * 28 / 100); /* the margin is three tenths */
        return;
    }
    struct asked *q = ask(k, CLOSE);
    if (q) {
        q->run = r;
        q->epoch = m->epoch;
        m->closing = true;
    }
}

/* --- the world -------------------------------------------------------------------- */

static void come(struct worker *k)
{
    *k = (struct worker){.name = w.names++, .clock = 1 + pick(100000000)};
    lease_init(&k->lease, LEASE);
    w.counter[k->name] = 0;
    w.slept_at[k->name] = -OVER;
    k->muted = true;
}

static void crash(struct worker *k)
{
    w.slept_at[k->name] = OVER; /* for good */
    lease_release(&k->lease);
    k->name = -1;
    k->starts_at = w.now + pick(2 * LEASE);
}

static void fall_asleep(struct worker *k)
{
    k->asleep_until = w.now + pick(3 * LEASE);
    for (int r = 0; r < RUNS; r++)
        k->runs[r].slept = true;
}

static void turn_worker(struct worker *k)
{
    bool awake = k->asleep_until <= w.now;

    if (!awake || w.now < k->cut_until)
        w.slept_at[k->name] = w.now;
    turn_connection(k, &k->beats, awake);
    turn_connection(k, &k->rest, awake);
    for (int r = 0; r < RUNS; r++)
        if (awake)
            arrive(&k->runs[r], r);
    if (!awake)
        return;
    if (w.now >= k->next_beat) {
        k->next_beat = w.now + lease_beat_every_ms(&k->lease);
        if (!under_way(k, BEAT))
            (void)ask(k, BEAT);
    }
    if (w.now >= k->next_look) {
        k->next_look = w.now + pick(LEASE / 5); /* a notification may bring it forward */
        (void)may_publish(k);
        if (!under_way(k, PEERS))
            (void)ask(k, PEERS);
    }
    if (w.now >= k->next_compare) {
        k->next_compare = w.now + COMPARE;
        k->reconcile = true;
    }
    for (int r = 0; r < RUNS; r++)
        publish(k, r);
}

static void harm(void)
{
    struct worker *k = &w.workers[pick(WORKERS)];

    if (w.now >= CALM || pick(w.peace) > 0)
        return;
    switch (pick(4)) {
    case 0:
        if (k->name >= 0 && w.names < NAMES - 1)
            crash(k);
        return;
    case 1:
        w.down_until = w.now + pick(3 * LEASE);
        return;
    case 2:
        k->cut_until = w.now + pick(3 * LEASE);
        return;
    default:
        if (k->name >= 0 && k->asleep_until <= w.now)
            fall_asleep(k);
        return;
    }
}

static bool all_ended(void)
{
    for (int r = 0; r < RUNS; r++)
        if (!w.runs[r].ended)
            return false;
    return true;
}

/* What goes wrong, or NULL. */
static const char *history(uint64_t seed, enum bug bug)
{
    memset(&w, 0, sizeof(w));
    w.bug = bug;
    w.seed = seed * UINT64_C(0x9e3779b97f4a7c15);
    w.peace = 20 + pick(200);
    for (size_t i = 0; i < NAMES; i++)
        w.counter[i] = -1;
    for (int r = 0; r < RUNS; r++)
        w.runs[r].owner = -1;
    for (size_t i = 0; i < WORKERS; i++)
        come(&w.workers[i]);
    for (; w.now < OVER && !all_ended() && w.wrong[0] == '\0'; w.now += STEP) {
        harm();
        for (size_t i = 0; i < WORKERS; i++) {
            struct worker *k = &w.workers[i];
            if (k->name < 0 && k->starts_at <= w.now)
                come(k);
            if (k->name >= 0)
                turn_worker(k);
        }
    }
    if (!all_ended())
        wrong("a run did not end", -1);
    for (size_t i = 0; i < WORKERS; i++)
        if (w.workers[i].name >= 0)
            lease_release(&w.workers[i].lease);
    return w.wrong[0] ? w.wrong : NULL;
}

static void nothing_goes_wrong(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        if (history(seed, NONE))
            fail_msg("seed %d: %s", (int)seed, w.wrong);
}

static void a_broken_rule_is_noticed(void **state)
{
    static const char *const names[BUGS] = {
        [NO_MARGIN] = "no margin",   [BY_RECEIPT] = "by receipt",
        [NO_SILENCE] = "no silence", [ANY_COUNTER] = "any counter",
        [NO_EPOCH] = "no epoch",     [NO_COMPARISON] = "no comparison"};

    (void)state;
    for (enum bug bug = NONE + 1; bug < BUGS; bug++) {
        uint64_t seed = 1;
        while (seed <= HISTORIES && !history(seed, bug))
            seed++;
        if (seed > HISTORIES)
            fail_msg("%s: not noticed", names[bug]);
        print_message("%s: seed %d: %s\n", names[bug], (int)seed, w.wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_goes_wrong),
                                       cmocka_unit_test(a_broken_rule_is_noticed)};
    return cmocka_run_group_tests_name("takeover, simulated", tests, NULL, NULL);
}

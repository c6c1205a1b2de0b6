/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/judge.h"

#include "common/banned.h"

/* A line's place: how many are missing before it, or -1 when it was seen. */
static int64_t lines_missing(const struct judge *j, const struct event *e)
{
    int64_t seen = e->attempt > j->attempt ? 0 : j->line;

    return e->n - seen - 1 < 0 ? -1 : e->n - seen - 1;
}

static bool is_superseded(const struct judge *j, const struct event *e)
{
    return j->ended || e->epoch < j->epoch || (event_is_line(e->type) && e->attempt < j->attempt);
}

static bool is_repeat(const struct judge *j, const struct event *e)
{
    if (event_is_line(e->type))
        return lines_missing(j, e) < 0;
    return (e->epoch == j->epoch && e->n <= j->control_n) ||
           (e->type == EVENT_ATTEMPT_ENDED && e->attempt == j->closed);
}

/* A new epoch numbers its control records anew, a new attempt its lines. */
static void advance(struct judge *j, const struct event *e)
{
    if (e->epoch > j->epoch) {
        j->epoch = e->epoch;
        j->control_n = 0;
    }
    if (e->attempt > j->attempt) {
        j->attempt = e->attempt;
        j->line = 0;
    }
    if (event_is_line(e->type))
        j->line = e->n;
    else
        j->control_n = e->n;
    if (e->type == EVENT_ATTEMPT_ENDED)
        j->closed = e->attempt;
    else if (event_is_line(e->type))
        j->closed = 0;
    j->ended = event_is_terminal(e->type);
    j->sequence++;
}

enum verdict judge_next(struct judge *j, const struct event *e, int64_t *missing)
{
    *missing = 0;
    if (is_superseded(j, e))
        return JUDGE_SUPERSEDED;
    if (is_repeat(j, e))
        return JUDGE_REPEAT;
    if (event_is_line(e->type))
        *missing = lines_missing(j, e);
    advance(j, e);
    return *missing > 0 ? JUDGE_GAP : JUDGE_STORE;
}

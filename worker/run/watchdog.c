/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/watchdog.h"

#include "common/banned.h"

const char *watchdog_reason_name(enum watchdog_reason reason)
{
#define NAME(name, text) text,
    static const char *const names[] = {WATCHDOG_MAP(NAME)};
#undef NAME
    return names[reason];
}

void watchdog_start(struct watchdog *w, int64_t now_ms)
{
    if (w->place == WATCHDOG_NONE)
        w->place = WATCHDOG_SILENCE;
    w->line_ms = now_ms;
}

/* Where a line leaves the agent; NONE: where it was (a heartbeat, a limit, a notice). */
static const enum watchdog_reason places[EVENT_TYPES] = {
    [EVENT_AGENT_INIT] = WATCHDOG_SILENCE,
    [EVENT_AGENT_MESSAGE] = WATCHDOG_SILENCE,
    [EVENT_AGENT_TOOL_USE] = WATCHDOG_SILENCE,
    [EVENT_AGENT_DELTA] = WATCHDOG_SILENCE,
    [EVENT_AGENT_TOOL_RESULT] = WATCHDOG_AFTER_TOOL_RESULT,
    [EVENT_AGENT_RESULT] = WATCHDOG_AFTER_RESULT,
};

/* A sub-agent's lines say that something is done, but not by whom the run is waited for; and
 * while one of several tools has not answered, it is the tool that is waited for. */
static enum watchdog_reason place_of(const struct stream_state *st, const struct stream_line *line)
{
    enum watchdog_reason place = line->nested ? WATCHDOG_NONE : places[line->type];

    if (place == WATCHDOG_AFTER_TOOL_RESULT && st->tool_results < st->tool_uses)
        return WATCHDOG_SILENCE;
    return place;
}

void watchdog_line(struct watchdog *w, const struct stream_state *st,
                   const struct stream_line *line, int64_t now_ms)
{
    enum watchdog_reason place = place_of(st, line);

    if (place != WATCHDOG_NONE)
        w->place = place;
    w->line_ms = now_ms;
    w->tasks = st->tasks;
}

struct row {
    enum watchdog_reason reason;
    int64_t limit_ms; /* 0: never */
};

static bool sooner(struct row a, struct row b)
{
    return a.limit_ms > 0 && (b.limit_ms == 0 || a.limit_ms < b.limit_ms);
}

/* What a silence is called now, and how long it may be. What waits for something in the
 * background ends that by itself; only behind that it is late. */
static struct row row_of(const struct watchdog *w, const struct watchdog_limits *l)
{
    const int64_t limits[WATCHDOG_REASONS] = {[WATCHDOG_SILENCE] = l->silence_ms,
                                              [WATCHDOG_AFTER_TOOL_RESULT] =
                                                  l->after_tool_result_ms,
                                              [WATCHDOG_AFTER_RESULT] = l->after_result_ms};
    struct row own = {w->place, limits[w->place]}, silence = {WATCHDOG_SILENCE, l->silence_ms};
    bool waits = w->place == WATCHDOG_AFTER_RESULT && w->tasks > 0;

    if (waits && silence.limit_ms > 0)
        silence.limit_ms += WATCHDOG_BACKGROUND_MS;
    if (waits || (w->place == WATCHDOG_AFTER_TOOL_RESULT && sooner(silence, own)))
        return silence;
    return own;
}

int64_t watchdog_due_ms(const struct watchdog *w, const struct watchdog_limits *l)
{
    struct row row = row_of(w, l);

    return row.limit_ms > 0 ? w->line_ms + row.limit_ms : INT64_MAX;
}

enum watchdog_reason watchdog_verdict(const struct watchdog *w, const struct watchdog_limits *l,
                                      int64_t now_ms)
{
    return now_ms >= watchdog_due_ms(w, l) ? row_of(w, l).reason : WATCHDOG_NONE;
}

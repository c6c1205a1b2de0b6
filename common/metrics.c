/* SPDX-License-Identifier: Apache-2.0 */
#include "common/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"

#include "common/banned.h"

/* A series of a counter or gauge is one cell. One of a histogram is a cell a bound, one for
 * what is above them all, and the sum; its buckets add up only when they are written. */
struct metrics {
    const struct metric *table;
    size_t n;
    size_t *first; /* of each metric's cells */
    double *cells; /* NAN: a gauge that nobody set */
    int64_t begun_ms;
};

static size_t values_of(const struct metric_label *l)
{
    return l->name ? l->n : 1;
}

static size_t series_of(const struct metric *t)
{
    return values_of(&t->label[0]) * values_of(&t->label[1]);
}

static size_t width_of(const struct metric *t)
{
    return t->kind == METRIC_HISTOGRAM ? t->n_bounds + 2 : 1;
}

static double *cell(const struct metrics *m, size_t metric, size_t first, size_t second)
{
    const struct metric *t = &m->table[metric];

    assert(metric < m->n && first < values_of(&t->label[0]) && second < values_of(&t->label[1]));
    return &m->cells[m->first[metric] + (first * values_of(&t->label[1]) + second) * width_of(t)];
}

void metrics_forget(struct metrics *m, size_t metric)
{
    if (!m)
        return;
    assert(m->table[metric].kind == METRIC_GAUGE);
    for (size_t i = 0; i < series_of(&m->table[metric]); i++)
        m->cells[m->first[metric] + i] = (double)NAN;
}

struct metrics *metrics_new(const struct metric *table, size_t n)
{
    struct metrics *m = calloc(1, sizeof(*m));
    size_t cells = 0;

    if (!m)
        return NULL;
    *m = (struct metrics){
        .table = table, .n = n, .first = calloc(n, sizeof(*m->first)), .begun_ms = clock_wall_ms()};
    for (size_t i = 0; m->first && i < n; i++) {
        assert(table[i].n_bounds <= METRIC_BOUNDS_MAX);
        m->first[i] = cells;
        cells += series_of(&table[i]) * width_of(&table[i]);
    }
    m->cells = m->first ? calloc(cells, sizeof(*m->cells)) : NULL;
    if (!m->cells) {
        metrics_free(m);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (table[i].kind == METRIC_GAUGE)
            metrics_forget(m, i);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    free(m->first);
    free(m->cells);
    free(m);
}

/* --- counting ---------------------------------------------------------------- */

void metrics_add(struct metrics *m, size_t metric, size_t first, size_t second, double by)
{
    if (!m)
        return;
    assert(m->table[metric].kind == METRIC_COUNTER);
    if (by > 0) /* a counter never falls, whatever an input says */
        *cell(m, metric, first, second) += by;
}

void metrics_set(struct metrics *m, size_t metric, size_t first, size_t second, double to)
{
    if (!m)
        return;
    assert(m->table[metric].kind == METRIC_GAUGE);
    *cell(m, metric, first, second) = to;
}

void metrics_observe(struct metrics *m, size_t metric, size_t first, size_t second, double value)
{
    if (!m)
        return;
    const struct metric *t = &m->table[metric];
    double *at = cell(m, metric, first, second);
    size_t bucket = 0;

    assert(t->kind == METRIC_HISTOGRAM);
    while (bucket < t->n_bounds && value > t->bounds[bucket])
        bucket++;
    at[bucket]++;
    at[t->n_bounds + 1] += value;
}

double metrics_value(const struct metrics *m, size_t metric, size_t first, size_t second)
{
    return *cell(m, metric, first, second);
}

/* --- writing ----------------------------------------------------------------- */

static void add_number(struct buf *out, double v)
{
    if (v == floor(v) && fabs(v) < 1e15)
        buf_addf(out, "%.0f", v);
    else
        buf_addf(out, "%.12g", v);
}

/* The format's own escapes; a help text has no quotes around it. */
static void add_escaped(struct buf *out, const char *s, bool quoted)
{
    for (; *s; s++) {
        if (*s == '\n')
            buf_adds(out, "\\n");
        else if (*s == '\\' || (quoted && *s == '"'))
            buf_addf(out, "\\%c", *s);
        else
            buf_addc(out, *s);
    }
}

static void add_label(struct buf *out, const char *name, const char *value, bool *any)
{
    buf_addc(out, *any ? ',' : '{');
    *any = true;
    buf_addf(out, "%s=\"", name);
    add_escaped(out, value, true);
    buf_addc(out, '"');
}

/* name + suffix + labels; le NULL: none. */
static void add_series(struct buf *out, const struct metric *t, const char *suffix, size_t series,
                       const char *le)
{
    size_t n = values_of(&t->label[1]), at[METRIC_LABELS] = {series / n, series % n};
    bool any = false;

    buf_addf(out, "%s%s", t->name, suffix);
    for (int i = 0; i < METRIC_LABELS; i++)
        if (t->label[i].name)
            add_label(out, t->label[i].name, t->label[i].value(at[i]), &any);
    if (le)
        add_label(out, "le", le, &any);
    if (any)
        buf_addc(out, '}');
    buf_addc(out, ' ');
}

static void add_histogram(struct buf *out, const struct metric *t, size_t series, const double *at)
{
    double sum = 0;
    char le[32];

    for (size_t b = 0; b <= t->n_bounds; b++) {
        if (b < t->n_bounds)
            (void)snprintf(le, sizeof(le), "%.12g", t->bounds[b]);
        sum += at[b];
        add_series(out, t, "_bucket", series, b < t->n_bounds ? le : "+Inf");
        add_number(out, sum);
        buf_addc(out, '\n');
    }
    add_series(out, t, "_sum", series, NULL);
    add_number(out, at[t->n_bounds + 1]);
    buf_addc(out, '\n');
    add_series(out, t, "_count", series, NULL);
    add_number(out, sum);
    buf_addc(out, '\n');
}

static void add_metric(struct buf *out, const struct metric *t, const double *at)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

    buf_addf(out, "# HELP %s ", t->name);
    add_escaped(out, t->help, false);
    buf_addf(out, "\n# TYPE %s %s\n", t->name, kinds[t->kind]);
    for (size_t s = 0; s < series_of(t); s++, at += width_of(t)) {
        if (t->kind == METRIC_HISTOGRAM) {
            add_histogram(out, t, s, at);
        } else if (!isnan(*at)) {
            add_series(out, t, "", s, NULL);
            add_number(out, *at);
            buf_addc(out, '\n');
        }
    }
}

/* --- the process itself ------------------------------------------------------- */

enum { OWN_BUILD, OWN_LOG_DROPPED, OWN_CPU, OWN_MEMORY, OWN_FILES, OWN_FILES_MAX, OWN_BEGUN, OWNS };

static const char *version(size_t i)
{
    (void)i;
    return SF_VERSION;
}

#define NONE {{NULL, NULL, 0}}

// clang-format off
static const struct metric own[OWNS] = { /* one cell each */
    [OWN_BUILD] = {"sandfleet_build_info", "The version that runs; always 1.",
        METRIC_GAUGE, {{"version", version, 1}}, NULL, 0},
    [OWN_LOG_DROPPED] = {"sandfleet_log_lines_dropped_total", "Log lines that stderr did not take.",
        METRIC_COUNTER, NONE, NULL, 0},
    [OWN_CPU] = {"process_cpu_seconds_total", "User and system CPU time.",
        METRIC_COUNTER, NONE, NULL, 0},
    [OWN_MEMORY] = {"process_resident_memory_bytes", "Resident memory.",
        METRIC_GAUGE, NONE, NULL, 0},
    [OWN_FILES] = {"process_open_fds", "Open file descriptors.",
        METRIC_GAUGE, NONE, NULL, 0},
    [OWN_FILES_MAX] = {"process_max_fds", "How many may be open.",
        METRIC_GAUGE, NONE, NULL, 0},
    [OWN_BEGUN] = {"process_start_time_seconds", "When the process began, Unix time.",
        METRIC_GAUGE, NONE, NULL, 0},
};
// clang-format on

static void add_own(struct buf *out, int64_t begun_ms)
{
    struct process_figures p;

    process_look(&p);
    const double is[OWNS] = {[OWN_BUILD] = 1,
                             [OWN_LOG_DROPPED] = (double)log_dropped(),
                             [OWN_CPU] = p.cpu_s,
                             [OWN_MEMORY] = (double)p.resident_bytes,
                             [OWN_FILES] = (double)p.files,
                             [OWN_FILES_MAX] = (double)p.files_max,
                             [OWN_BEGUN] = (double)begun_ms / 1000};
    for (size_t i = 0; i < OWNS; i++)
        add_metric(out, &own[i], &is[i]);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
    for (size_t i = 0; i < m->n; i++)
        add_metric(out, &m->table[i], &m->cells[m->first[i]]);
    add_own(out, m->begun_ms);
}

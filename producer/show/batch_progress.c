/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/batch_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "producer/show/term_text.h"
#include "common/banned.h"

enum { BAR_MIN = 10, BAR_MAX = 60, LINE_MAX = 4096, WHOLE_SECONDS_MS = 10000 };
#define LEFT_MAX_MS 3.2e12 /* a century: nobody knows */

/* --- what the API says ---------------------------------------------------------- */

static int64_t count(const cJSON *batch, const char *state)
{
    return render_int(json_get(batch, "counts"), state);
}

static int64_t ms_of(const cJSON *doc, const char *key, int64_t otherwise)
{
    int64_t ms;
    const char *text = json_get_string(doc, key);

    return text && clock_parse_rfc3339(str_of(text), &ms) ? ms : otherwise;
}

/* On one line, and safe: it comes from elsewhere. */
static void keep(char *to, size_t room, const char *text)
{
    AUTO_BUF safe = BUF_INIT(LINE_MAX);

    term_text_safe(&safe, str_of(text));
    for (size_t i = 0; i < safe.len; i++)
        if (safe.p[i] == '\n' || safe.p[i] == '\t')
            safe.p[i] = ' ';
    render_copy(to, room, safe.p && safe.rc == ERR_OK ? safe.p : "?");
}

static void add_sample(struct progress *p, int64_t now_ms)
{
    unsigned at = p->n_samples++ % PROGRESS_SAMPLES;

    p->samples[at].at_ms = now_ms;
    p->samples[at].done = progress_done(p);
}

void progress_take(struct progress *p, const cJSON *batch, int64_t now_ms, int64_t wall_ms)
{
    int64_t from = ms_of(batch, "started_at", ms_of(batch, "created_at", wall_ms));

    keep(p->batch_id, sizeof(p->batch_id), render_word(batch, "batch_id", "?"));
    keep(p->state, sizeof(p->state), render_word(batch, "state", "?"));
    p->total = render_int(batch, "runs");
    p->completed = count(batch, "completed");
    p->failed = count(batch, "failed");
    p->timed_out = count(batch, "timed_out");
    p->cancelled = count(batch, "cancelled");
    p->expired = count(batch, "expired");
    p->running = count(batch, "running") + count(batch, "starting") + count(batch, "cancelling");
    p->queued = count(batch, "queued");
    p->held = count(batch, "held");
    p->retrying = count(batch, "retrying");
    p->cost_usd = 0;
    json_get_number(batch, "cost_usd", &p->cost_usd);
    p->ended = strcmp(p->state, "ended") == 0;
    p->took_ms = ms_of(batch, "ended_at", wall_ms) - from;
    add_sample(p, now_ms);
}

void progress_take_runs(struct progress *p, const cJSON *runs, bool failures, int64_t wall_ms)
{
    struct progress_item *items = failures ? p->failures : p->longest;
    int n = 0;
    const cJSON *run;

    cJSON_ArrayForEach(run, json_get(runs, "data"))
    {
        const char *name = json_get_string(run, "custom_id");

        if (n == PROGRESS_ITEMS)
            break;
        keep(items[n].name, sizeof(items[n].name), name ? name : render_word(run, "run_id", "?"));
        keep(items[n].why, sizeof(items[n].why), render_word(run, "outcome", ""));
        items[n].ms = failures ? 0 : wall_ms - ms_of(run, "started_at", wall_ms);
        n++;
    }
    *(failures ? &p->n_failures : &p->n_longest) = n;
}

/* --- what follows from it ------------------------------------------------------- */

int64_t progress_done(const struct progress *p)
{
    return p->completed + p->failed + p->timed_out + p->cancelled + p->expired;
}

bool progress_good(const struct progress *p)
{
    return p->completed == progress_done(p);
}

double progress_per_s(const struct progress *p)
{
    unsigned n = p->n_samples < PROGRESS_SAMPLES ? p->n_samples : PROGRESS_SAMPLES;
    unsigned last = p->n_samples - 1, first = last;

    for (unsigned back = 1; back < n; back++) {
        unsigned at = (last - back) % PROGRESS_SAMPLES;
        int64_t age = p->samples[last % PROGRESS_SAMPLES].at_ms - p->samples[at].at_ms;

        if (age > PROGRESS_WINDOW_MS)
            break;
        first = last - back;
    }
    if (first == last)
        return 0;
    int64_t ms =
        p->samples[last % PROGRESS_SAMPLES].at_ms - p->samples[first % PROGRESS_SAMPLES].at_ms;
    int64_t done =
        p->samples[last % PROGRESS_SAMPLES].done - p->samples[first % PROGRESS_SAMPLES].done;
    return ms > 0 && done > 0 ? (double)done * 1000 / (double)ms : 0;
}

int64_t progress_left_ms(const struct progress *p)
{
    double rate = progress_per_s(p), ms;
    int64_t left = p->total - progress_done(p);

    if (left <= 0)
        return 0;
    ms = rate > 0 ? (double)left * 1000 / rate : -1;
    return ms < LEFT_MAX_MS ? (int64_t)ms : -1;
}

/* --- words ---------------------------------------------------------------------- */

static void put_count(struct buf *out, int64_t n, const char *what, const char *colour,
                      const struct terminal *t)
{
    char text[RENDER_NUMBER];

    if (n == 0)
        return;
    buf_addf(out, "%s%s%s %s%s", out->len ? ", " : "", t && colour ? terminal_style(t, colour) : "",
             render_count(n, text), what, t && colour ? terminal_style(t, "plain") : "");
}

static void put_counts(const struct progress *p, const struct terminal *t, struct buf *out)
{
    put_count(out, p->completed, "completed", "green", t);
    put_count(out, p->failed, "failed", "red", t);
    put_count(out, p->timed_out, "timed out", "red", t);
    put_count(out, p->cancelled, "cancelled", "yellow", t);
    put_count(out, p->expired, "expired", "yellow", t);
    put_count(out, p->running, "running", "cyan", t);
    put_count(out, p->retrying, "retrying", NULL, t);
    put_count(out, p->held, "held", NULL, t);
    put_count(out, p->queued, "queued", NULL, t);
}

static void put_duration(struct buf *out, int64_t ms)
{
    char text[CLOCK_TEXT];

    buf_adds(out, clock_duration(ms >= WHOLE_SECONDS_MS ? ms - ms % 1000 : ms, text));
}

/* "3.2/s", or by the minute, or by the hour. */
static void put_rate(struct buf *out, double per_s)
{
    if (per_s >= 1)
        buf_addf(out, "%.1f/s", per_s);
    else if (per_s * 60 >= 1)
        buf_addf(out, "%.1f/min", per_s * 60);
    else
        buf_addf(out, "%.1f/h", per_s * 3600);
}

static void put_pace(const struct progress *p, struct buf *out)
{
    double per_s = progress_per_s(p);
    int64_t done = progress_done(p), left = progress_left_ms(p);
    char usd[RENDER_NUMBER];

    if (per_s > 0 && !p->ended) {
        put_rate(out, per_s);
        buf_adds(out, ", ");
    }
    buf_addf(out, "%s%s", render_cost(p->cost_usd, usd), p->ended ? "" : " so far");
    if (done > 0 && done < p->total)
        buf_addf(out, ", about %s in all",
                 render_cost(p->cost_usd * (double)p->total / (double)done, usd));
    if (left > 0) {
        buf_adds(out, ", about ");
        put_duration(out, left);
        buf_adds(out, " left");
    }
}

void progress_line(const struct progress *p, struct buf *out)
{
    char done[RENDER_NUMBER], total[RENDER_NUMBER];
    AUTO_BUF counts = BUF_INIT(LINE_MAX);

    put_counts(p, NULL, &counts);
    buf_addf(out, "%s %s: %s of %s done", p->batch_id, p->state,
             render_count(progress_done(p), done), render_count(p->total, total));
    if (counts.len)
        buf_addf(out, "; " STR_FMT, STR_ARG(buf_str(&counts)));
    buf_adds(out, "; ");
    put_pace(p, out);
    buf_addc(out, '\n');
}

/* --- the picture ---------------------------------------------------------------- */

/* So many cells of the bar stand for n runs: rounded so that the sum is right. */
static int cells(int64_t before, int64_t n, int64_t total, int width)
{
    if (total <= 0)
        return 0;
    return (int)((before + n) * width / total) - (int)(before * width / total);
}

static void put_bar(const struct progress *p, const struct terminal *t, int width, struct buf *out)
{
    int64_t bad = p->failed + p->timed_out + p->cancelled + p->expired, at = 0;
    const struct {
        int64_t n;
        const char *unicode, *ascii, *colour;
    } parts[] = {{p->completed, "█", "#", "green"},
                 {bad, "█", "x", "red"},
                 {p->running, "▒", "=", "cyan"},
                 {p->total - progress_done(p) - p->running, "░", ".", "dim"}};

    for (size_t i = 0; i < COUNTOF(parts); i++) {
        int64_t runs = parts[i].n < 0 ? 0 : parts[i].n < p->total - at ? parts[i].n : p->total - at;
        int n = cells(at, runs, p->total, width); /* however a server counts, it is a bar */

        at += runs;
        if (n > 0)
            buf_adds(out, terminal_style(t, parts[i].colour));
        for (int c = 0; c < n; c++)
            buf_adds(out, t->unicode ? parts[i].unicode : parts[i].ascii);
        if (n > 0)
            buf_adds(out, terminal_style(t, "plain"));
    }
}

static void put_head(const struct progress *p, const struct terminal *t, struct buf *out)
{
    char done[RENDER_NUMBER], total[RENDER_NUMBER], tail[96];
    int width;

    snprintf(tail, sizeof(tail), " %3" PRId64 " %%  %s of %s",
             p->total > 0 ? progress_done(p) * 100 / p->total : 0,
             render_count(progress_done(p), done), render_count(p->total, total));
    struct str shown = term_text_fit(str_of(p->batch_id), t->columns / 3);
    width = t->columns - term_text_width(shown) - (int)strlen(tail) - 2;
    width = width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
    buf_addf(out, "%s" STR_FMT "%s  ", terminal_style(t, "bold"), STR_ARG(shown),
             terminal_style(t, "plain"));
    put_bar(p, t, width, out);
    buf_addf(out, "%s\n", tail);
}

/* One row, cut at the width. Colours in it take no columns. */
static void put_fitting(const struct terminal *t, struct str line, struct buf *out)
{
    int columns = 0;
    bool escape = false;

    for (size_t i = 0; i < line.n; i++) {
        escape = escape || line.p[i] == '\033';
        columns += !escape && ((unsigned char)line.p[i] & 0xc0) != 0x80;
        if (columns > t->columns) {
            buf_adds(out, terminal_style(t, "plain"));
            break;
        }
        buf_addc(out, line.p[i]);
        if (escape && line.p[i] == 'm')
            escape = false;
    }
    buf_addc(out, '\n');
}

static void put_items(const struct terminal *t, const char *title,
                      const struct progress_item *items, int n, struct buf *out)
{
    AUTO_BUF line = BUF_INIT(LINE_MAX);

    for (int i = 0; i < n; i++) {
        buf_addf(&line, "%s%s", i ? ", " : "", items[i].name);
        if (items[i].ms > 0 || items[i].why[0])
            buf_addc(&line, ' ');
        if (items[i].ms > 0)
            put_duration(&line, items[i].ms);
        else
            buf_adds(&line, items[i].why);
    }
    buf_addf(out, "%s%s%s  ", terminal_style(t, "dim"), title, terminal_style(t, "plain"));
    buf_addstr(out, term_text_fit(buf_str(&line), t->columns - (int)strlen(title) - 2));
    buf_addc(out, '\n');
}

int progress_draw(const struct progress *p, const struct terminal *t, struct buf *out)
{
    AUTO_BUF counts = BUF_INIT(LINE_MAX), pace = BUF_INIT(LINE_MAX);
    int rows = 3;

    put_head(p, t, out);
    put_counts(p, t, &counts);
    put_fitting(t, counts.len ? buf_str(&counts) : STR("no runs yet"), out);
    put_pace(p, &pace);
    put_fitting(t, buf_str(&pace), out);
    if (p->n_longest > 0) {
        put_items(t, "longest", p->longest, p->n_longest, out);
        rows++;
    }
    if (p->n_failures > 0) {
        put_items(t, "failed ", p->failures, p->n_failures, out);
        rows++;
    }
    return rows;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a person sees of every run that was captured from the real CLI is what was looked
 * at and found good; no row is wider than the terminal, nothing of it drives the terminal, and
 * what a live terminal shows at the end is what a pipe gets. Proof: the texts in
 * tests/fixtures/render (SF_GOLDEN=write writes them anew), and a terminal of a hundred lines
 * that plays back what was written. */
#include "tests/lib/table.h"

#include "producer/show/render.h"
#include "producer/show/term_text.h"
#include "tests/unit/producer/claude_lines.h"

enum { OUT_MAX = 64 << 20 };

static struct golden_row {
    const char *name;
    struct render as;
} golden_rows[] = {
    {"80-plain", {.columns = 80, .unicode = true}},
    {"80-colour", {.columns = 80, .unicode = true, .colour = true}},
    {"80-ascii", {.columns = 80}},
    {"120-plain", {.columns = 120, .unicode = true}},
    {"120-colour", {.columns = 120, .unicode = true, .colour = true}},
    {"piped", {.unicode = true}},
};

struct player {
    struct render r;
    struct buf *out;
    int64_t now_ms;
};

static void on_event(void *ctx, const struct event_view *v)
{
    struct player *p = ctx;

    if (p->r.live)
        render_tick(&p->r, p->now_ms += 700, p->out);
    render_event(&p->r, v, p->out);
}

static void play(const struct render *as, const char *file, struct buf *out)
{
    struct player p = {.r = *as, .out = out};

    claude_play(file, on_event, &p);
    render_settle(&p.r, out);
    render_release(&p.r);
    assert_int_equal(out->rc, ERR_OK);
}

/* Colours of ours are the only control characters; rows fit. */
static void check_rows(const struct render *as, struct str text)
{
    struct str line;

    while (text.n && str_next(&text, '\n', &line)) {
        AUTO_BUF bare = BUF_INIT(OUT_MAX);

        for (size_t i = 0; i < line.n; i++) {
            if (as->colour && line.p[i] == '\033') {
                assert_true(line.n - i >= 3 && line.p[i + 1] == '[');
                while (line.p[i] != 'm')
                    i++;
            } else {
                assert_true((unsigned char)line.p[i] >= 0x20 ||
                            (!as->columns && line.p[i] == '\t'));
                buf_addc(&bare, line.p[i]);
            }
        }
        if (as->columns)
            assert_in_range(term_text_width(buf_str(&bare)), 0, as->columns);
    }
}

static void check_golden(void **state)
{
    const struct golden_row *row = *state;
    struct claude_files files = {0};
    AUTO_BUF out = BUF_INIT(OUT_MAX), want = BUF_INIT(OUT_MAX);
    const char *mode = getenv("SF_GOLDEN");
    char path[512];

    claude_list(&files);
    for (int i = 0; i < files.n; i++) {
        AUTO_BUF one = BUF_INIT(OUT_MAX);

        play(&row->as, files.names[i], &one);
        check_rows(&row->as, buf_str(&one));
        if (strstr(files.names[i], ".gz")) /* megabytes */
            continue;
        buf_addf(&out, "=== %s\n", files.names[i]);
        buf_addstr(&out, buf_str(&one));
    }
    claude_list_release(&files);
    snprintf(path, sizeof(path), "%s/tests/fixtures/render/%s.txt", SF_SOURCE_DIR, row->name);
    if (mode && strcmp(mode, "write") == 0) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(out.p, 1, out.len, f);
        fclose(f);
        return;
    }
    read_whole(path, &want);
    assert_string_equal(out.p, want.p);
}

/* --- a terminal ---------------------------------------------------------------- */

enum { SCREEN = 100 };

struct terminal {
    struct buf lines[SCREEN]; /* the last ones; what left the screen at its top is in scrolled */
    int n, at, rows;
    struct buf scrolled;
};

static void scroll(struct terminal *t)
{
    struct buf first = t->lines[0];

    buf_addstr(&t->scrolled, buf_str(&first));
    buf_addc(&t->scrolled, '\n');
    memmove(t->lines, t->lines + 1, (size_t)(t->rows - 1) * sizeof(t->lines[0]));
    buf_clear(&first);
    t->lines[t->rows - 1] = first;
}

static void newline(struct terminal *t)
{
    if (t->at == t->rows - 1)
        scroll(t);
    else
        t->at++;
}

/* "\r ESC [ n A ESC [ J": up, and all below is gone. */
static const char *control(struct terminal *t, const char *p)
{
    char *end;
    long up;

    assert_memory_equal(p, "\r\033[", 3);
    up = strtol(p + 3, &end, 10);
    assert_memory_equal(end, "A\033[J", 4);
    assert_in_range(up, 1, t->at);
    t->at -= (int)up;
    for (int i = t->at; i < t->rows; i++)
        buf_clear(&t->lines[i]);
    return end + 4;
}

static void show(struct terminal *t, struct str text, struct buf *out)
{
    for (int i = 0; i < t->rows; i++)
        t->lines[i] = BUF_INIT(1 << 16);
    t->scrolled = BUF_INIT(OUT_MAX);
    for (const char *p = text.p; p < text.p + text.n;) {
        if (*p == '\r')
            p = control(t, p);
        else if (*p == '\n') {
            newline(t);
            p++;
        } else
            buf_addc(&t->lines[t->at], *p++);
    }
    buf_addstr(out, buf_str(&t->scrolled));
    for (int i = 0; i < t->at; i++)
        buf_addf(out, STR_FMT "\n", STR_ARG(buf_str(&t->lines[i])));
    for (int i = 0; i < t->rows; i++)
        buf_release(&t->lines[i]);
    buf_release(&t->scrolled);
}

static struct live_row {
    const char *name;
    int columns, rows;
} live_rows[] = {{"24 rows of 80", 80, 24}, {"7 rows of 120", 120, 7}, {"100 rows of 80", 80, 100}};

static void check_live(void **state)
{
    const struct live_row *row = *state;
    const struct render plain = {.columns = row->columns, .unicode = true};
    struct render live = plain;
    struct claude_files files = {0};

    live.live = true;
    live.rows = row->rows;
    claude_list(&files);
    for (int i = 0; i < files.n; i++) {
        AUTO_BUF want = BUF_INIT(OUT_MAX), written = BUF_INIT(OUT_MAX), got = BUF_INIT(OUT_MAX);
        struct terminal t = {.rows = row->rows};

        if (strstr(files.names[i], "tool") || strstr(files.names[i], "auto-background"))
            continue; /* a pipe is told what takes its time, in lines of their own */
        play(&plain, files.names[i], &want);
        play(&live, files.names[i], &written);
        show(&t, buf_str(&written), &got);
        assert_string_equal(got.p, want.p);
    }
    claude_list_release(&files);
}

int main(void)
{
    return TABLE_RUN("golden", golden_rows, check_golden) +
           TABLE_RUN("live", live_rows, check_live);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/meter.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/banned.h"

enum { BAR_EVERY_MS = 100, LINE_EVERY_MS = 5000, BAR_MAX = 40, BAR_MIN = 8 };

void meter_begin(struct meter *p, const char *what, int64_t done, bool quiet)
{
    int64_t now = clock_boot_ms();

    *p = (struct meter){.on = !quiet,
                        .terminal = terminal_of(STDERR_FILENO),
                        .what = what,
                        .began_ms = now,
                        .shown_ms = now,
                        .began_at = done};
}

/* 1234567 as "1,234,567". */
static void put_count(struct buf *b, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_addc(b, ',');
        buf_addc(b, digits[i]);
    }
}

static void put_left(struct buf *b, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.5);

    if (s < 120)
        buf_addf(b, ", %lld s left", (long long)s);
    else if (s < 7200)
        buf_addf(b, ", %lld min left", (long long)(s / 60));
    else
        buf_addf(b, ", %lld h left", (long long)(s / 3600));
}

static void put_bar(const struct terminal *t, int width, double part, struct buf *out)
{
    int filled = (int)(part * width);

    buf_addc(out, '[');
    for (int i = 0; i < width; i++)
        buf_adds(out, i >= filled ? " " : t->unicode ? "█" : "#");
    buf_adds(out, "] ");
}

void meter_text(const struct terminal *t, const char *what, int64_t done, int64_t total,
                double rate, struct buf *out)
{
    AUTO_BUF text = BUF_INIT(256);

    put_count(&text, done);
    if (total > 0) {
        buf_adds(&text, " of ");
        put_count(&text, total);
    }
    buf_addf(&text, " %s", what);
    if (rate >= 1) {
        buf_adds(&text, ", ");
        put_count(&text, (int64_t)rate);
        buf_adds(&text, "/s");
        if (total > done)
            put_left(&text, (double)(total - done) / rate);
    }
    int width = t->columns - (int)text.len - 4;
    if (t->interactive && total > 0 && width >= BAR_MIN)
        put_bar(t, width < BAR_MAX ? width : BAR_MAX, (double)done / (double)total, out);
    buf_addstr(out, buf_str(&text));
}

void meter_at(struct meter *p, int64_t done, int64_t total)
{
    int64_t now = p->on ? clock_boot_ms() : 0;
    AUTO_BUF text = BUF_INIT(1024);

    if (!p->on || now - p->shown_ms < (p->terminal.interactive ? BAR_EVERY_MS : LINE_EVERY_MS))
        return;
    p->shown_ms = now;
    meter_text(&p->terminal, p->what, done, total,
               (double)(done - p->began_at) * 1000 / (double)(now - p->began_ms), &text);
    if (p->terminal.interactive)
        (void)fprintf(stderr, "\r" STR_FMT "\033[K", STR_ARG(buf_str(&text)));
    else
        (void)fprintf(stderr, "sandfleet: " STR_FMT "\n", STR_ARG(buf_str(&text)));
    p->open = p->terminal.interactive;
}

void meter_end(struct meter *p)
{
    if (p->open)
        (void)fputs("\r\033[K", stderr);
    p->open = p->on = false;
}

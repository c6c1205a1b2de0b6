/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: however a stream is cut into pieces, its lines, numbers and offsets are the
 * same; nothing over the ceiling is held. Proof: every split in two and every piece size
 * of a stream with the odd cases, against a table of what must come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "worker/capture/lines.h"

enum { MAX = 16, LINES_ROOM = 16 };

struct seen {
    char text[LINES_ROOM][MAX + 1];
    struct line line[LINES_ROOM];
    size_t n;
    int64_t blank, offset;
};

static void note(struct seen *s, const struct line *line)
{
    assert_true(s->n < LINES_ROOM);
    memcpy(s->text[s->n], line->text, line->len);
    s->text[s->n][line->len] = '\0';
    s->line[s->n++] = *line;
}

static void feed(struct lines *l, const char *p, size_t n, struct seen *s)
{
    struct str piece = {p, n};
    struct line line;

    while (lines_next(l, &piece, &line) == LINES_LINE)
        note(s, &line);
    assert_int_equal(piece.n, 0);
}

static void finish(struct lines *l, struct seen *s)
{
    struct line line;

    if (lines_end(l, &line) == LINES_LINE)
        note(s, &line);
    s->blank = l->blank;
    s->offset = l->offset;
    lines_release(l);
}

static void assert_same(const struct seen *a, const struct seen *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->blank, b->blank);
    assert_int_equal(a->offset, b->offset);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->text[i], b->text[i]);
        assert_int_equal(a->line[i].len, b->line[i].len);
        assert_int_equal(a->line[i].n, b->line[i].n);
        assert_int_equal(a->line[i].end_offset, b->line[i].end_offset);
        assert_int_equal(a->line[i].true_bytes, b->line[i].true_bytes);
        assert_int_equal(a->line[i].unterminated, b->line[i].unterminated);
    }
}

static const char stream[] = "one\n\n \t\r\ntwo\r\n\xff\xfe\xe2\x82\xac\n"
                             "a line over the ceiling of sixteen\nexactly 16 bytes\n\nlast";

static struct seen whole(void)
{
    struct seen s = {0};
    struct lines l;

    lines_init(&l, MAX, 0, 0);
    feed(&l, stream, sizeof(stream) - 1, &s);
    finish(&l, &s);
    return s;
}

static void gives_lines_numbers_and_offsets(void **state)
{
    struct seen s = whole();

    (void)state;
    assert_int_equal(s.n, 6);
    assert_int_equal(s.blank, 3);
    assert_int_equal(s.offset, sizeof(stream) - 1);
    assert_string_equal(s.text[0], "one");
    assert_int_equal(s.line[0].end_offset, 4);
    assert_string_equal(s.text[1], "two\r");
    assert_int_equal(s.line[1].n, 2);
    assert_int_equal(s.line[1].end_offset, 14);
    assert_string_equal(s.text[3], "a line over the ");
    assert_int_equal(s.line[3].true_bytes, 34);
    assert_int_equal(s.line[4].true_bytes, 16);
    assert_true(s.line[5].unterminated);
    assert_false(s.line[4].unterminated);
}

static void every_split_gives_the_same(void **state)
{
    struct seen want = whole();

    (void)state;
    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        struct seen s = {0};
        struct lines l;

        lines_init(&l, MAX, 0, 0);
        feed(&l, stream, cut, &s);
        feed(&l, stream + cut, sizeof(stream) - 1 - cut, &s);
        finish(&l, &s);
        assert_same(&s, &want);
    }
}

static void every_piece_size_gives_the_same(void **state)
{
    struct seen want = whole();

    (void)state;
    for (size_t size = 1; size < sizeof(stream); size++) {
        struct seen s = {0};
        struct lines l;

        lines_init(&l, MAX, 0, 0);
        for (size_t at = 0; at < sizeof(stream) - 1; at += size) {
            size_t left = sizeof(stream) - 1 - at;

            feed(&l, stream + at, left < size ? left : size, &s);
        }
        finish(&l, &s);
        assert_same(&s, &want);
    }
}

/* What capture does after a cut: the stream again, from behind the last complete line. */
static void every_rewind_gives_the_same(void **state)
{
    struct seen want = whole();

    (void)state;
    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        struct seen s = {0};
        struct lines l;

        lines_init(&l, MAX, 0, 0);
        feed(&l, stream, cut, &s);
        lines_rewind(&l);
        feed(&l, stream + l.offset, sizeof(stream) - 1 - (size_t)l.offset, &s);
        finish(&l, &s);
        assert_same(&s, &want);
    }
}

static void goes_on_at_an_offset(void **state)
{
    struct seen s = {0};
    struct lines l;

    (void)state;
    lines_init(&l, MAX, 1000, 41);
    feed(&l, "x\n", 2, &s);
    finish(&l, &s);
    assert_int_equal(s.line[0].n, 42);
    assert_int_equal(s.line[0].end_offset, 1002);
}

static void gives_memory_of_a_long_line_back(void **state)
{
    enum { BIG = 1 << 20 };
    char *big = malloc(BIG);
    struct str piece = {big, BIG};
    struct lines l;
    struct line line;

    (void)state;
    memset(big, 'x', BIG);
    big[BIG - 1] = '\n';
    lines_init(&l, BIG, 0, 0);
    assert_int_equal(lines_next(&l, &piece, &line), LINES_LINE);
    assert_int_equal(line.true_bytes, BIG - 1);
    assert_int_equal(lines_next(&l, &piece, &line), LINES_MORE);
    assert_true(l.held.cap <= 64 << 10);
    lines_release(&l);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_lines_numbers_and_offsets),
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(every_piece_size_gives_the_same),
        cmocka_unit_test(every_rewind_gives_the_same),
        cmocka_unit_test(goes_on_at_an_offset),
        cmocka_unit_test(gives_memory_of_a_long_line_back),
    };

    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: out of memory costs a row of what is shown, never the program or the terminal. Proof:
 * runs, tables, a batch and a stream of events, with the first, second, … allocation failing
 * until none is left; ASan sees what is leaked. */
#include "tests/lib/heap.h"
#include "tests/lib/table.h"

#include "producer/api/sse.h"
#include "producer/show/batch_progress.h"
#include "producer/show/field.h"
#include "producer/show/render.h"
#include "producer/show/term_text.h"
#include "tests/unit/producer/claude_lines.h"

enum { OUT_MAX = 4 << 20, TRIES_MAX = 100000 };

static char *lines; /* of the run that is rendered, read before memory runs out */

static void put(struct buf *out)
{
    assert_true(out->len == 0 || str_utf8(buf_str(out), NULL));
}

static void render_run(void)
{
    struct render r = {.columns = 80, .rows = 10, .live = true, .colour = true, .unicode = true};
    struct str rest = str_of(lines), line;

    while (rest.n && str_next(&rest, '\n', &line)) {
        AUTO_BUF out = BUF_INIT(OUT_MAX);

        render_native(&r, line, &out);
        render_tick(&r, r.now_ms + 1000, &out);
        put(&out);
    }
    render_release(&r);
}

static void show_answers(void)
{
    static const struct field fields[] = {{"A", "a", FIELD_TEXT, 0}, {"N", "n", FIELD_COUNT, 0}};
    const struct terminal t = {.columns = 60, .terminal = true, .unicode = true};
    struct err err = ERR_INIT;
    struct progress p = {.total = 0};
    struct table table;
    AUTO_JSON *doc = NULL;
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    if (json_parse(
            STR("{\"a\":\"x\",\"n\":5,\"batch_id\":\"b\",\"counts\":{\"failed\":1},\"runs\":2,"
                "\"data\":[{\"custom_id\":\"c\",\"outcome\":\"auth\"}]}"),
            0, &doc, &err) != ERR_OK)
        return;
    table_init(&table, fields, COUNTOF(fields), &t, 0);
    table_add(&table, doc);
    table_flush(&table, &out);
    table_release(&table);
    field_details(fields, COUNTOF(fields), doc, 0, &t, &out);
    progress_take(&p, doc, 0, 0);
    progress_take_runs(&p, doc, true, 0);
    progress_draw(&p, &t, &out);
    progress_line(&p, &out);
    put(&out);
}

static void read_stream(void)
{
    struct str piece = STR("id: 1\ndata: 0123456789\ndata: 0123456789\n\ndata: x\n\n");
    struct sse_message m;
    struct sse s;
    enum sse_step step;

    sse_init(&s, 4096);
    while ((step = sse_next(&s, &piece, &m)) == SSE_MESSAGE)
        assert_true(m.data.n == 21 || m.data.n == 1);
    assert_true(step == SSE_MORE || step == SSE_FULL);
    sse_release(&s);
}

static struct row {
    const char *name;
    void (*run)(void);
} rows[] = {{"a run", render_run}, {"answers", show_answers}, {"a stream", read_stream}};

static void check(void **state)
{
    const struct row *row = *state;
    size_t n = 1;

    for (; n < TRIES_MAX; n++) {
        heap_fail_at(n);
        row->run();
        if (heap_seen() < n)
            break;
    }
    heap_fail_at(0);
    assert_in_range(n, 2, TRIES_MAX - 1);
}

int main(void)
{
    AUTO_BUF text = BUF_INIT(CLAUDE_FILE_MAX);
    int failed;

    claude_read("subagents-foreground.ndjson", &text);
    claude_read("partial-bash.ndjson", &text);
    lines = buf_take(&text);
    failed = TABLE_RUN("torture", rows, check);
    free(lines);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/writer_slice.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/uuid.h"

#include "sink/copy_binary.h"
#include "sink/rows.h"

#include "common/banned.h"

enum {
    COPY_MAX = 1 << 30,       /* a batch is far below: its rows and bytes have ceilings */
    PAYLOAD_MAX_BYTES = 7900, /* NOTIFY takes less than 8,000 */
};

void slice_init(struct slice *s)
{
    *s = (struct slice){0};
    for (size_t i = 0; i < COPIES; i++)
        s->copies[i].data = BUF_INIT(COPY_MAX);
    projection_init(&s->rows);
}

void slice_release(struct slice *s)
{
    projection_release(&s->rows);
    for (size_t i = 0; i < COPIES; i++)
        buf_release(&s->copies[i].data);
    memory_release(&s->memory);
    free(s->spans);
    free(s->order);
    free(s->run_of);
}

/* --- ranges --------------------------------------------------------------------- */

static struct span *span_of(struct slice *s, const struct batch_item *item)
{
    size_t cap = s->cap_spans ? s->cap_spans * 2 : 16;

    for (size_t i = s->n_spans; i-- > 0;)
        if (s->spans[i].id == item->record.partition && s->spans[i].topic == item->topic)
            return &s->spans[i];
    if (s->n_spans == s->cap_spans) {
        struct span *bigger = reallocarray(s->spans, cap, sizeof(*bigger));
        if (!bigger)
            return NULL;
        s->spans = bigger;
        s->cap_spans = cap;
    }
    s->spans[s->n_spans] = (struct span){.topic = item->topic,
                                         .id = item->record.partition,
                                         .from = item->from,
                                         .first = item->record.offset};
    return &s->spans[s->n_spans++];
}

static bool make_order_room(struct slice *s, size_t n)
{
    uint32_t *order, *run_of;

    if (n <= s->cap_order)
        return true;
    order = reallocarray(s->order, n, sizeof(*order));
    s->order = order ? order : s->order;
    run_of = reallocarray(s->run_of, n, sizeof(*run_of));
    s->run_of = run_of ? run_of : s->run_of;
    s->cap_order = order && run_of ? n : s->cap_order;
    return order && run_of;
}

/* The item's range, and its run, which is recalled when it comes up for the first time. */
static bool add_item(struct slice *s, size_t i, const struct batch_item *item)
{
    struct span *span = span_of(s, item);
    struct run_row *run = NULL;
    size_t known = s->rows.n_runs;

    if (!span)
        return false;
    span->next = item->record.offset + 1;
    s->has_events |= item->kind == ITEM_EVENT;
    s->run_of[i] = UINT32_MAX;
    if (item->kind != ITEM_EVENT && item->kind != ITEM_REQUEST)
        return true;
    run = projection_run(&s->rows, item->run);
    if (!run)
        return false;
    if (s->rows.n_runs > known)
        memory_recall(&s->memory, run);
    s->run_of[i] = (uint32_t)(run - s->rows.runs);
    return true;
}

/* Sorted by counting; what belongs to no run comes last. */
static bool sort_by_run(struct slice *s)
{
    uint32_t runs = (uint32_t)s->rows.n_runs, at = 0;
    uint32_t *from = calloc(runs + 1, sizeof(*from));

    if (!from)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        s->run_of[i] = s->run_of[i] < runs ? s->run_of[i] : runs;
        from[s->run_of[i]]++;
    }
    for (uint32_t r = 0, n; r <= runs; r++, at += n) {
        n = from[r];
        from[r] = at;
    }
    for (size_t i = 0; i < s->n; i++)
        s->order[from[s->run_of[i]]++] = (uint32_t)i;
    free(from);
    return true;
}

static void begin_copies(struct slice *s)
{
    for (size_t i = 0; i < COPIES; i++) {
        s->copies[i].rows = 0;
        buf_clear(&s->copies[i].data);
        copy_begin(&s->copies[i].data);
    }
}

enum err_code slice_begin(struct slice *s, struct batch *b, size_t at, size_t n, struct err *err)
{
    s->batch = b;
    s->at = at;
    s->n = n;
    s->n_spans = s->folded = 0;
    s->has_events = s->ended = s->closed = false;
    s->counts = (struct writer_counts){0};
    projection_clear(&s->rows);
    begin_copies(s);
    if (!make_order_room(s, n))
        return err_set(err, ERR_NOMEM, "rows of a batch");
    for (size_t i = 0; i < n; i++)
        if (!add_item(s, i, &b->items[at + i]))
            return err_set(err, ERR_NOMEM, "rows of a batch");
    return sort_by_run(s) ? ERR_OK : err_set(err, ERR_NOMEM, "rows of a batch");
}

bool slice_has_new(const struct slice *s)
{
    for (size_t i = 0; i < s->n_spans; i++)
        if (s->spans[i].from == KAFKA_EARLIEST)
            return true;
    return false;
}

/* A partition without a row begins at the first record there is. */
static int64_t start_of(const struct span *span)
{
    return span->from == KAFKA_EARLIEST ? span->first : span->from;
}

/* --- parameters ----------------------------------------------------------------- */

void slice_spans(const struct slice *s, enum span_field f, bool only_new, struct buf *out)
{
    char sep = '{';

    for (size_t i = 0; i < s->n_spans; i++) {
        const struct span *span = &s->spans[i];

        if (only_new && span->from != KAFKA_EARLIEST)
            continue;
        buf_addc(out, sep);
        sep = ',';
        switch (f) {
        case SPAN_TOPIC: /* topic names need no quotes */
            buf_adds(out, s->batch->topics->name[span->topic]);
            break;
        case SPAN_PARTITION:
            buf_addf(out, "%" PRId32, span->id);
            break;
        case SPAN_FROM:
            buf_addf(out, "%" PRId64, start_of(span));
            break;
        case SPAN_NEXT:
            buf_addf(out, "%" PRId64, span->next);
            break;
        }
    }
    buf_adds(out, sep == '{' ? "{}" : "}");
}

bool slice_has_unknown(const struct slice *s)
{
    for (size_t i = 0; i < s->rows.n_runs; i++)
        if (!s->rows.runs[i].known)
            return true;
    return false;
}

void slice_unknown_ids(const struct slice *s, struct buf *out)
{
    char id[UUID_TEXT], sep = '{';

    for (size_t i = 0; i < s->rows.n_runs; i++) {
        if (s->rows.runs[i].known)
            continue;
        uuid_text(s->rows.runs[i].id, id);
        buf_addf(out, "%c%s", sep, id);
        sep = ',';
    }
    buf_adds(out, sep == '{' ? "{}" : "}");
}

static bool run_changed(const struct run_row *run)
{
    return run->by_event || run->request;
}

void slice_payloads(const struct slice *s, struct buf *out)
{
    char id[UUID_TEXT];
    size_t used = 0;

    buf_addc(out, '{');
    for (size_t i = 0; i < s->rows.n_runs; i++) {
        if (!run_changed(&s->rows.runs[i]))
            continue;
        uuid_text(s->rows.runs[i].id, id);
        if (used && used + UUID_TEXT > PAYLOAD_MAX_BYTES) {
            buf_adds(out, "\",");
            used = 0;
        }
        buf_addf(out, "%c%s", used ? ',' : '"', id);
        used += UUID_TEXT;
    }
    buf_adds(out, used ? "\"}" : "}");
}

void slice_runs(const struct slice *s, struct buf *out)
{
    char sep = '[';

    for (size_t i = 0; i < s->rows.n_runs; i++) {
        if (!run_changed(&s->rows.runs[i]))
            continue;
        buf_addc(out, sep);
        rows_run(out, &s->rows.runs[i]);
        sep = ',';
    }
    buf_adds(out, sep == '[' ? "[]" : "]");
}

void slice_attempts(const struct slice *s, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < s->rows.n_attempts; i++) {
        const struct attempt_row *a = &s->rows.attempts[i];

        if (i)
            buf_addc(out, ',');
        rows_attempt(out, &s->rows.runs[a->run], a);
    }
    buf_addc(out, ']');
}

void slice_sandboxes(const struct slice *s, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < s->rows.n_words; i++) {
        const struct sandbox_word *w = &s->rows.words[i];

        if (i)
            buf_addc(out, ',');
        rows_sandbox(out, &s->rows.runs[w->run], w);
    }
    buf_addc(out, ']');
}

void slice_superseded(const struct slice *s, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < s->rows.n_superseded; i++) {
        const struct superseded_row *row = &s->rows.superseded[i];

        if (i)
            buf_addc(out, ',');
        rows_superseded(out, &s->rows.runs[row->run], row);
    }
    buf_addc(out, ']');
}

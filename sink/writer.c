/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/writer.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"

#include "common/fault.h"
#include "sink/writer_internal.h"

#include "common/banned.h"

static void next_step(struct writer *w);

enum err_code writer_new(struct pg *pg, const struct writer_events *ev, void *ctx,
                         struct writer **out, struct err *err)
{
    struct writer *w = calloc(1, sizeof(*w));

    if (!w)
        return err_set(err, ERR_NOMEM, "writer");
    w->pg = pg;
    w->ev = *ev;
    w->ctx = ctx;
    slice_init(&w->slice);
    *out = w;
    return ERR_OK;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    slice_release(&w->slice);
    free(w);
}

bool writer_busy(const struct writer *w)
{
    return w->batch != NULL;
}

const struct writer_counts *writer_counts(const struct writer *w)
{
    return &w->counts;
}

/* --- ends --------------------------------------------------------------------------- */

static void end(struct writer *w, enum writer_end how)
{
    struct err why = w->why;

    w->batch = NULL;
    if (how != WRITER_DONE)
        memory_forget(&w->slice.memory);
    if (how == WRITER_LOST)
        w->n_days = 0; /* whether they were made is unknown */
    w->ev.ended(w->ctx, how, &why);
}

static void begin_slice(struct writer *w, size_t n)
{
    w->n = n;
    w->step = 0;
    w->failed = w->moved = false;
    w->why = ERR_INIT;
    if (slice_begin(&w->slice, w->batch, w->at, n, &w->why) == ERR_OK)
        next_step(w);
    else
        end(w, WRITER_FATAL);
}

static void add_counts(struct writer_counts *to, const struct slice *s)
{
    to->batches++;
    to->rows += (int64_t)s->n;
    to->events += s->counts.events;
    to->requests += s->counts.requests;
    to->repeats += s->counts.repeats;
    to->superseded += s->counts.superseded;
    to->gaps += s->counts.gaps;
    to->quarantined += s->counts.quarantined;
}

static void slice_committed(struct writer *w)
{
    add_counts(&w->counts, &w->slice);
    if (!w->forgets)
        slice_keep(&w->slice);
    for (size_t i = 0; i < w->slice.n_spans; i++) {
        const struct span *span = &w->slice.spans[i];
        w->ev.committed(w->ctx, span->topic, span->id, span->next);
    }
    w->at += w->n;
    if (w->at == w->batch->n)
        end(w, WRITER_DONE);
    else
        begin_slice(w, w->batch->n - w->at);
}

/* --- failures: roll back, then decide by the error's action ---------------------------- */

/* Halves, and in the end one record: that one is the poison. */
static void cut(struct writer *w)
{
    struct err err = ERR_INIT;

    w->counts.halvings++;
    if (w->n > 1) {
        begin_slice(w, w->n / 2);
        return;
    }
    log_event(LOG_WARN, "sink.refused", LF("topic", w->batch->items[w->at].record.topic),
              LF_INT("partition", w->batch->items[w->at].record.partition),
              LF_INT("offset", w->batch->items[w->at].record.offset), LF_ERR(&w->why));
    if (w->batch->items[w->at].kind == ITEM_POISON) {
        end(w, WRITER_FATAL); /* not even the quarantine takes it */
    } else if (batch_poison(w->batch, w->at, STR("refused_by_database"), w->why.msg, &err) ==
               ERR_OK) {
        begin_slice(w, 1);
    } else {
        w->why = err;
        end(w, WRITER_FATAL);
    }
}

static void rolled_back(struct writer *w)
{
    if (w->moved)
        end(w, WRITER_MOVED);
    else if (err_action(w->why.code) == ERR_DO_REJECT && writer_steps[w->step].data)
        cut(w);
    else if (w->why.code == ERR_CONFIG || w->why.code == ERR_NOMEM)
        end(w, WRITER_FATAL);
    else
        end(w, WRITER_LOST);
}

static void fail(struct writer *w, const struct err *e)
{
    struct err ignored = ERR_INIT;

    w->why = *e;
    w->failed = true;
    log_event(LOG_DEBUG, "sink.rollback", LF("step", writer_steps[w->step].name), LF_ERR(e));
    if (pg_send(w->pg, &(struct pg_cmd){.sql = "ROLLBACK"}, writer_on_result, w, &ignored) !=
        ERR_OK)
        rolled_back(w); /* the connection is gone, and the transaction with it */
}

/* --- steps ----------------------------------------------------------------------------- */

static bool wanted(const struct writer *w, const struct step *s)
{
    if (s->copy)
        return w->slice.copies[s->copy - 1].rows > 0;
    return !s->wanted || s->wanted(w);
}

static enum err_code send_step(struct writer *w, const struct step *s, struct err *err)
{
    if (!s->copy)
        return s->send(w, err);
    if (s->merge)
        return pg_send(w->pg, &(struct pg_cmd){.sql = s->sql}, writer_on_result, w, err);
    return pg_copy(w->pg, s->sql, &w->slice.copies[s->copy - 1].data, writer_on_result, w, err);
}

static void next_step(struct writer *w)
{
    struct err err = ERR_INIT;

    for (;; w->step++) {
        const struct step *s = &writer_steps[w->step];

        /* what these hold is known when all is folded */
        if (s->copy && slice_fold_rest(&w->slice, &err) != ERR_OK)
            break;
        if (wanted(w, s))
            break;
    }
    if (err.code != ERR_OK || send_step(w, &writer_steps[w->step], &err) != ERR_OK)
        fail(w, &err);
    else
        fault_pass(writer_steps[w->step].name, "sent");
}

void writer_on_result(void *ctx, PGresult *res, const struct err *e)
{
    struct writer *w = ctx;
    const struct step *s = &writer_steps[w->step];
    struct err err = *e;

    if (w->failed) {
        rolled_back(w);
        return;
    }
    if (err.code == ERR_OK && s->done)
        (void)s->done(w, res, &err);
    if (err.code != ERR_OK) {
        fail(w, &err);
        return;
    }
    fault_pass(s->name, "answered");
    if (++w->step < writer_steps_n)
        next_step(w);
    else
        slice_committed(w);
}

void writer_forget(struct writer *w)
{
    memory_forget(&w->slice.memory);
    w->forgets = true;
}

void writer_start(struct writer *w, struct batch *b)
{
    assert(!w->batch && b->n > 0);
    w->forgets = false;
    w->batch = b;
    w->at = 0;
    begin_slice(w, b->n);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for the writer: binary for its COPYs, in the column order of writer_sql.h; JSON for
 * the merges, by column name. Pure. */
#ifndef SANDFLEET_SINK_ROWS_H
#define SANDFLEET_SINK_ROWS_H

#include "common/buf.h"
#include "sink/batch.h"
#include "sink/projection.h"

/* `run` right after the event was folded in: its sequence is the event's. */
void rows_event(struct buf *b, const struct run_row *run, const struct event_view *v);
/* `missing` lines before that event. */
void rows_gap(struct buf *b, const struct run_row *run, const struct event *e, int64_t missing);
void rows_run(struct buf *b, const struct run_row *run);
void rows_attempt(struct buf *b, const struct run_row *run, const struct attempt_row *a);
void rows_sandbox(struct buf *b, const struct run_row *run, const struct sandbox_word *w);
void rows_superseded(struct buf *b, const struct run_row *run, const struct superseded_row *s);
void rows_quarantine(struct buf *b, const struct batch_item *item);

#endif

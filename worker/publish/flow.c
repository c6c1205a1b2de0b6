/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/flow.h"

#include "common/banned.h"

void flow_sent(struct flow *f, size_t bytes, int64_t now_ms)
{
    if (f->unacked == 0)
        f->moved_ms = now_ms;
    f->unacked += bytes;
}

void flow_acked(struct flow *f, size_t bytes, int64_t now_ms)
{
    f->unacked -= bytes;
    f->moved_ms = now_ms;
}

bool flow_look(struct flow *f, int64_t now_ms)
{
    bool silent = f->unacked > 0 && now_ms - f->moved_ms >= FLOW_SILENT_MS;
    bool full = f->unacked > (f->blocked ? FLOW_LOW_BYTES : FLOW_MAX_BYTES);
    bool was = f->blocked;

    f->blocked = silent || full;
    return f->blocked != was;
}

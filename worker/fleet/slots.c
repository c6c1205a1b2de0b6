/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fleet/slots.h"

#include "common/banned.h"

enum { INTERACTIVE_RESERVE = 10 }; /* one slot of so many */

int64_t slots_free(const struct slots *s)
{
    int64_t used = 0;
    for (int lane = 0; lane < LANES; lane++)
        used += s->running[lane];
    return used < s->total ? s->total - used : 0;
}

/* The lane of the next slot, LANES when nobody may have it. */
static int next_lane(struct slots *s, bool interactive, bool batch)
{
    if (interactive && (!batch || s->in_a_row < SLOTS_INTERACTIVE_IN_A_ROW)) {
        s->in_a_row = batch ? s->in_a_row + 1 : 0;
        return LANE_INTERACTIVE;
    }
    if (batch) {
        s->in_a_row = 0;
        return LANE_BATCH;
    }
    return LANES;
}

void slots_share(struct slots *s, const int64_t waiting[LANES], int64_t take[LANES])
{
    int64_t batch_room = s->total - s->total / INTERACTIVE_RESERVE - s->running[LANE_BATCH];

    take[LANE_INTERACTIVE] = take[LANE_BATCH] = 0;
    for (int64_t left = slots_free(s); left > 0; left--) {
        int lane =
            next_lane(s, waiting[LANE_INTERACTIVE] > take[LANE_INTERACTIVE],
                      waiting[LANE_BATCH] > take[LANE_BATCH] && take[LANE_BATCH] < batch_room);
        if (lane == LANES)
            return;
        take[lane]++;
    }
}

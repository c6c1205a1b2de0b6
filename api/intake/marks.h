/* SPDX-License-Identifier: Apache-2.0 */
/* How far a batch's records reach in the topics: the furthest acknowledged one of each partition.
 * What takes no more items has ended when the sink has passed these and all runs that it knows have
 * ended; without that, a batch would seem to have ended whose runs the sink has yet to see. */
#ifndef SANDFLEET_API_MARKS_H
#define SANDFLEET_API_MARKS_H

#include "common/buf.h"
#include "schema/run_request.h"
#include "schema/topics.h"

struct mark {
    enum run_lane lane;
    int32_t partition;
    int64_t offset;
};

enum { MARKS_MAX_BYTES = 4 << 20 }; /* of marks_write()'s text */

struct marks {
    struct mark *v;
    size_t n, cap;
};

/* False: no memory. */
bool marks_add(struct marks *m, enum run_lane lane, int32_t partition, int64_t offset) MUST_USE;
/* {"topic:partition":offset,…} */
void marks_write(const struct marks *m, const struct topics *t, struct buf *out);
void marks_release(struct marks *m);

/* door.batches.marks with those of the parameter, each the further one; NULL: neither has any. */
#define MARKS_MERGED(param)                                                                        \
    "(SELECT jsonb_object_agg(place, reaches) FROM (SELECT place, max(reaches::bigint) AS reaches" \
    " FROM (SELECT * FROM jsonb_each_text(coalesce(marks, '{}'))"                                  \
    " UNION ALL SELECT * FROM jsonb_each_text(" param "::jsonb)) AS m(place, reaches)"             \
    " GROUP BY place) AS m)"

#endif

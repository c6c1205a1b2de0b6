/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/marks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/banned.h"

bool marks_add(struct marks *m, enum run_lane lane, int32_t partition, int64_t offset)
{
    size_t cap = m->cap ? m->cap * 2 : 16;

    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].lane != lane || m->v[i].partition != partition)
            continue;
        if (offset > m->v[i].offset)
            m->v[i].offset = offset;
        return true;
    }
    if (m->n == m->cap) {
        struct mark *bigger = reallocarray(m->v, cap, sizeof(*bigger));

        if (!bigger)
            return false;
        m->v = bigger;
        m->cap = cap;
    }
    m->v[m->n++] = (struct mark){lane, partition, offset};
    return true;
}

/* Topic names need no escapes in JSON. */
void marks_write(const struct marks *m, const struct topics *t, struct buf *out)
{
    buf_addc(out, '{');
    for (size_t i = 0; i < m->n; i++)
        buf_addf(out, "%s\"%s:%" PRId32 "\":%" PRId64, i ? "," : "",
                 t->name[topic_of_lane(m->v[i].lane)], m->v[i].partition, m->v[i].offset);
    buf_addc(out, '}');
}

void marks_release(struct marks *m)
{
    free(m->v);
    *m = (struct marks){0};
}

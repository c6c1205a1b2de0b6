/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/sse_page.h"

#include <string.h>

#include "api/live/event_row.h"
#include "api/live/sse_out.h"
#include "common/pg/pg.h"
#include "common/banned.h"

void sse_page_begin(struct sse_page *p, int64_t from)
{
    p->from = p->to = p->last = from;
    p->ended = false;
    p->state = "";
    p->outcome = NULL;
    p->n = 0;
    if (p->text.max == 0)
        p->text = BUF_INIT(SSE_PAGE_MAX);
    buf_clear(&p->text);
}

bool sse_page_add(struct sse_page *p, const PGresult *res, int row, int at)
{
    size_t before = p->text.len;

    if (p->n == SSE_PAGE_EVENTS || PQgetisnull(res, row, at + EV_DATA))
        return false;
    sse_out_message_begin(&p->text, pg_int(res, row, at + EV_SEQUENCE));
    event_row_write(res, row, at, &p->text);
    sse_out_message_end(&p->text);
    if (p->text.rc != ERR_OK) {
        p->text.len = before;
        p->text.rc = ERR_OK;
        return false;
    }
    p->to = pg_int(res, row, at + EV_SEQUENCE);
    p->events[p->n++] = (struct sse_page_event){
        .sequence = p->to, .end = p->text.len, .type = pg_text(res, row, at + EV_TYPE)};
    return true;
}

struct str sse_page_slice(const struct sse_page *p, size_t i, size_t j)
{
    size_t from = i ? p->events[i - 1].end : 0, to = j ? p->events[j - 1].end : 0;

    return to > from ? (struct str){p->text.p + from, to - from} : (struct str){0};
}

size_t sse_page_above(const struct sse_page *p, int64_t sequence)
{
    size_t i = 0;

    while (i < p->n && p->events[i].sequence <= sequence)
        i++;
    return i;
}

void sse_page_release(struct sse_page *p)
{
    buf_release(&p->text);
}

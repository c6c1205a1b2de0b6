/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/journal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"

#include "common/banned.h"

static const char *const levels[] = {"debug", "info", "warn", "error"};

bool journal_level_parse(struct str s, enum journal_level *out)
{
    for (size_t i = 0; i < COUNTOF(levels); i++)
        if (str_is(s, levels[i])) {
            *out = (enum journal_level)i;
            return true;
        }
    return false;
}

static void entry_release(struct journal_entry *e)
{
    free(e->message);
    free(e->fields);
    *e = (struct journal_entry){0};
}

/* The place of the next entry; the oldest is forgotten for it. */
static struct journal_entry *place(struct journal *j)
{
    if (j->entries == NULL)
        j->entries = calloc(JOURNAL_KEPT, sizeof(j->entries[0]));
    if (j->entries == NULL)
        return NULL;
    if (j->n == JOURNAL_KEPT) {
        entry_release(&j->entries[j->first]);
        j->first = (j->first + 1) % JOURNAL_KEPT;
        j->n--;
    }
    return &j->entries[(j->first + j->n) % JOURNAL_KEPT];
}

void journal_add(struct journal *j, enum journal_level level, const char *message,
                 const char *const pairs[])
{
    AUTO_BUF fields = BUF_INIT(JOURNAL_ENTRY_MAX);
    struct journal_entry *e = place(j);

    if (e == NULL)
        return;
    buf_adds(&fields, "{");
    for (size_t i = 0; pairs[i] != NULL; i += 2) /* json_kv() leaves a NULL value out */
        json_kv(&fields, pairs[i], pairs[i + 1]);
    buf_adds(&fields, "}");
    *e = (struct journal_entry){.at_ms = clock_wall_ms(),
                                .level = level,
                                .message = str_dup(str_of(message)),
                                .fields = buf_take(&fields)};
    if (e->message != NULL && e->fields != NULL)
        j->n++;
    else
        entry_release(e);
}

void journal_release(struct journal *j)
{
    for (size_t i = 0; j->entries != NULL && i < JOURNAL_KEPT; i++)
        entry_release(&j->entries[i]);
    free(j->entries);
    *j = (struct journal){0};
}

static bool is_wanted(const struct journal_entry *e, const struct journal_query *q)
{
    if (e->level < q->least)
        return false;
    if (q->cursor_ms >= 0 && (q->backward ? e->at_ms > q->cursor_ms : e->at_ms < q->cursor_ms))
        return false;
    return q->search.n == 0 ||
           memmem(e->message, strlen(e->message), q->search.p, q->search.n) != NULL;
}

static void put_entry(const struct journal_entry *e, bool line, struct buf *out)
{
    char at[CLOCK_TEXT];

    buf_adds(out, "{");
    json_kv(out, "timestamp", clock_rfc3339(e->at_ms, at));
    if (line) {
        json_kv(out, "line", e->message);
    } else {
        json_kv(out, "level", levels[e->level]);
        json_kv(out, "message", e->message);
        json_kv_raw(out, "fields", str_of(e->fields));
    }
    buf_adds(out, "}");
}

void journal_put(const struct journal *j, const struct journal_query *q, bool lines,
                 struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < j->n && n < q->limit; i++) {
        size_t at = q->backward ? j->n - 1 - i : i;
        const struct journal_entry *e = &j->entries[(j->first + at) % JOURNAL_KEPT];

        if (!is_wanted(e, q))
            continue;
        buf_adds(out, n++ > 0 ? "," : "");
        put_entry(e, lines, out);
    }
}

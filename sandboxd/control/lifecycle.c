/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/uuid.h"

#include "common/banned.h"

enum { NAME_ROOM = 64 };

struct change {
    int64_t at_ms;
    enum lifecycle what;
    char id[UUID_TEXT], sandbox[NAME_ROOM], template[NAME_ROOM], reason[NAME_ROOM];
};

struct lifecycle_log {
    size_t first, n;
    struct change ring[LIFECYCLE_KEPT];
};

#define LIFECYCLE_WORD(name, word) [LIFECYCLE_##name] = word,
static const char *const words[LIFECYCLES] = {LIFECYCLE_MAP(LIFECYCLE_WORD)};
#undef LIFECYCLE_WORD

const char *lifecycle_text(enum lifecycle l)
{
    return words[l];
}

struct lifecycle_log *lifecycle_new(void)
{
    return calloc(1, sizeof(struct lifecycle_log));
}

void lifecycle_free(struct lifecycle_log *l)
{
    free(l);
}

void lifecycle_add(struct lifecycle_log *l, enum lifecycle what, const char *sandbox,
                   const char *template, const char *reason)
{
    struct change *c = &l->ring[(l->first + l->n) % LIFECYCLE_KEPT];

    if (l->n < LIFECYCLE_KEPT)
        l->n++;
    else
        l->first = (l->first + 1) % LIFECYCLE_KEPT;
    *c = (struct change){.at_ms = clock_wall_ms(), .what = what};
    uuid_v7(c->at_ms, c->id);
    (void)snprintf(c->sandbox, sizeof(c->sandbox), "%s", sandbox);
    (void)snprintf(c->template, sizeof(c->template), "%s", template);
    (void)snprintf(c->reason, sizeof(c->reason), "%s", reason != NULL ? reason : "");
}

/* "sandbox.lifecycle.created" and "created" mean the same. */
static bool is_type(struct str types, const char *word)
{
    static const char prefix[] = "sandbox.lifecycle.";
    struct str one;

    if (types.n == 0)
        return true;
    while (str_next(&types, ',', &one)) {
        if (str_starts(one, prefix))
            one = (struct str){one.p + strlen(prefix), one.n - strlen(prefix)};
        if (str_is(one, word))
            return true;
    }
    return false;
}

static void put_change(const struct change *c, struct buf *out)
{
    char at[CLOCK_TEXT], type[NAME_ROOM];

    (void)snprintf(type, sizeof(type), "sandbox.lifecycle.%s", words[c->what]);
    buf_adds(out, "{");
    json_kv(out, "version", "v2");
    json_kv(out, "id", c->id);
    json_kv(out, "type", type);
    json_kv(out, "timestamp", clock_rfc3339(c->at_ms, at));
    json_key(out, "eventData");
    buf_adds(out, c->reason[0] != '\0' ? "{" : "null");
    if (c->reason[0] != '\0') {
        json_kv(out, "reason", c->reason);
        buf_adds(out, "}");
    }
    json_kv(out, "sandboxId", c->sandbox);
    json_kv(out, "sandboxTemplateId", c->template);
    json_kv(out, "sandboxTeamId", "sandfleet");
    json_kv(out, "sandboxBuildId", c->template);
    json_kv(out, "sandboxExecutionId", c->sandbox);
    buf_adds(out, "}");
}

void lifecycle_put(const struct lifecycle_log *l, const struct lifecycle_query *q, struct buf *out)
{
    size_t seen = 0, n = 0;

    for (size_t i = 0; i < l->n && n < q->limit; i++) {
        size_t at = q->ascending ? i : l->n - 1 - i;
        const struct change *c = &l->ring[(l->first + at) % LIFECYCLE_KEPT];

        if ((q->sandbox.n > 0 && !str_is(q->sandbox, c->sandbox)) ||
            !is_type(q->types, words[c->what]) || seen++ < q->offset)
            continue;
        buf_adds(out, n++ > 0 ? "," : "");
        put_change(c, out);
    }
}

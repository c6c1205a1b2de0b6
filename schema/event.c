/* SPDX-License-Identifier: Apache-2.0 */
/* The names of event types. */
#include "schema/event.h"

#include <assert.h>

#include "common/banned.h"

static const struct {
    struct str name;
    bool line, terminal;
} types[EVENT_TYPES] = {
#define ROW(name, type, line, terminal) {{"" type, sizeof(type) - 1}, line, terminal},
    EVENT_MAP(ROW)
#undef ROW
};

const char *event_type_name(enum event_type t)
{
    assert(t < EVENT_TYPES);
    return types[t].name.p;
}

bool event_type_parse(struct str s, enum event_type *out)
{
    for (size_t i = 0; i < EVENT_TYPES; i++)
        if (str_eq(s, types[i].name)) {
            *out = (enum event_type)i;
            return true;
        }
    return false;
}

bool event_is_line(enum event_type t)
{
    assert(t < EVENT_TYPES);
    return types[t].line;
}

bool event_is_terminal(enum event_type t)
{
    assert(t < EVENT_TYPES);
    return types[t].terminal;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The names of event types and attributes. */
#include "schema/event.h"

#include <assert.h>

#include "schema/event_attr.h"
#include "common/banned.h"

static const struct {
    struct str name;
    bool line, terminal;
} types[EVENT_TYPES] = {
#define ROW(name, type, line, terminal) {{"" type, sizeof(type) - 1}, line, terminal},
    EVENT_MAP(ROW)
#undef ROW
};

const struct event_attr_row event_attrs[EVENT_ATTRS] = {
#define ROW(name, wire, quote, required)                                                           \
    {{wire, sizeof(wire) - 1},                                                                     \
     {",\"" wire "\":" quote, sizeof(",\"" wire "\":" quote) - 1},                                 \
     "ce_" wire,                                                                                   \
     sizeof(quote) > 1,                                                                            \
     required},
    EVENT_ATTR_MAP(ROW)
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/directive.h"

#include <stddef.h>
#include <string.h>

#include "common/banned.h"

struct field {
    const char *name;
    enum { F_INT, F_BOOL, F_STR } type;
    size_t at;
    int64_t max;
};

// clang-format off
static const struct field fields[] = {
    {"lines",       F_INT,  offsetof(struct directive, lines),       1000000},
    {"delay_ms",    F_INT,  offsetof(struct directive, delay_ms),    3600000},
    {"size",        F_INT,  offsetof(struct directive, size),        8 << 20},
    {"exit",        F_INT,  offsetof(struct directive, exit),        255},
    {"reset_s",     F_INT,  offsetof(struct directive, reset_s),     8640000},
    {"tool",        F_STR,  offsetof(struct directive, tool),        0},
    {"fail",        F_STR,  offsetof(struct directive, fail),        0},
    {"stderr",      F_STR,  offsetof(struct directive, err),         0},
    {"ignore_term", F_BOOL, offsetof(struct directive, ignore_term), 0},
    {"hang",        F_BOOL, offsetof(struct directive, hang),        0},
    {"nul",         F_BOOL, offsetof(struct directive, nul),         0},
    {"text",        F_BOOL, offsetof(struct directive, text),        0},
};
// clang-format on

static void store(struct directive *d, const struct field *f, struct str value)
{
    void *at = (char *)d + f->at;

    int64_t n;

    switch (f->type) {
    case F_INT:
        if (str_int(value, INT64_MAX, &n))
            *(int64_t *)at = n < f->max ? n : f->max;
        break;
    case F_BOOL:
        *(bool *)at = str_is(value, "1");
        break;
    case F_STR:
        *(struct str *)at = value;
        break;
    }
}

static void assign(struct directive *d, struct str word)
{
    struct str value = word, name;

    if (!str_next(&value, '=', &name))
        return;
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (str_is(name, fields[i].name))
            store(d, &fields[i], value);
}

static const char *find(struct str s, const char *needle)
{
    return s.n == 0 ? NULL : memmem(s.p, s.n, needle, strlen(needle));
}

struct directive directive_parse(struct str prompt)
{
    struct directive d = {.lines = 2, .exit = -1, .reset_s = 300};
    const char *from = find(prompt, "[[sim:");

    if (from == NULL) {
        d.tool = STR("Bash");
        return d;
    }
    from += strlen("[[sim:");
    struct str rest = {from, prompt.n - (size_t)(from - prompt.p)}, word;
    const char *to = find(rest, "]]");

    if (to == NULL)
        return d;
    rest.n = (size_t)(to - from);
    while (str_next(&rest, ' ', &word))
        assign(&d, word);
    return d;
}

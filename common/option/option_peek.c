/* SPDX-License-Identifier: Apache-2.0 */
/* What a command line has for one flag, before anything is read: which file holds the others. */
#include "common/option/option.h"

#include <string.h>

#include "common/option/option_value.h"
#include "common/banned.h"

struct seen { /* a flag on the command line */
    const struct opt *row;
    const char *value; /* NULL: it has none */
    int args;          /* that it is made of */
};

static bool is_row(const struct opt *row, const char *arg, size_t n)
{
    char room[OPTION_FLAG_MAX];
    const char *flag = option_flag(row, room);

    if (arg[0] != '-')
        return row->letter && row->letter == arg[0];
    return strlen(flag) == n - 1 && memcmp(flag, arg + 1, n - 1) == 0;
}

/* argv[at] begins with '-' and is more than that. */
static struct seen see(const struct opt *rows, size_t n, int argc, char *const *argv, int at)
{
    const char *arg = argv[at] + 1, *equals = *arg == '-' ? strchr(arg, '=') : NULL;
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
    struct seen s = {.args = 1};

    for (size_t i = 0; i < n && !s.row; i++)
        if (is_row(&rows[i], arg, len))
            s.row = &rows[i];
    if (s.row && s.row->type == OPT_BOOL)
        s.value = "";
    else if (s.row)
        s.value = equals ? equals + 1 : *arg != '-' && arg[1] ? arg + 1 : NULL;
    if (s.row && !s.value && at + 1 < argc) {
        s.value = argv[at + 1];
        s.args = 2;
    }
    return s;
}

static bool is_flag(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

const char *option_peek(const struct opt *rows, size_t n, const char *name, int argc,
                        char *const *argv)
{
    const char *value = NULL;

    for (int at = 1; at < argc && strcmp(argv[at], "--") != 0;) {
        struct seen s = {.args = 1};

        if (is_flag(argv[at]))
            s = see(rows, n, argc, argv, at);
        if (s.row && strcmp(s.row->name, name) == 0)
            value = s.value;
        at += s.args;
    }
    return value;
}

int option_leading(const struct opt *rows, size_t n, int argc, char *const *argv)
{
    int at = 1;

    while (at < argc && is_flag(argv[at]) && strcmp(argv[at], "--") != 0) {
        struct seen s = see(rows, n, argc, argv, at);

        if (!s.row)
            break;
        at += s.args;
    }
    return at - 1;
}

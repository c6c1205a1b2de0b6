/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/args.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/uuid.h"

#include "common/banned.h"

int complain(const char *text, const char *subject)
{
    (void)fprintf(stderr, "%s%s\n", text, subject);
    return 1;
}

struct flag {
    const char *name, *alias;
    enum { SWITCH, VALUE, VALUES } takes;
    size_t at; /* of a bool for SWITCH, a string for VALUE; 0: accepted, no effect here */
};

#define AT(member) (offsetof(struct settings, member) + 1)
// clang-format off
static const struct flag flags[] = {
    {"--print", "-p",                 SWITCH, AT(print)},
    {"--verbose", NULL,               SWITCH, AT(verbose)},
    {"--version", "-v",               SWITCH, AT(version)},
    {"--help", "-h",                  SWITCH, AT(help)},
    {"--dangerously-skip-permissions", NULL, SWITCH, 0},
    {"--disable-slash-commands", NULL, SWITCH, 0},
    {"--strict-mcp-config", NULL,     SWITCH, 0},
    {"--include-partial-messages", NULL, SWITCH, 0},
    {"--fork-session", NULL,          SWITCH, 0},
    {"--session-id", NULL,            VALUE,  AT(session)},
    {"--resume", "-r",                VALUE,  AT(resume)},
    {"--permission-mode", NULL,       VALUE,  AT(permission_mode)},
    {"--model", NULL,                 VALUE,  0},
    {"--fallback-model", NULL,        VALUE,  0},
    {"--max-turns", NULL,             VALUE,  0},
    {"--max-budget-usd", NULL,        VALUE,  0},
    {"--output-format", NULL,         VALUE,  0},
    {"--input-format", NULL,          VALUE,  0},
    {"--system-prompt", NULL,         VALUE,  0},
    {"--system-prompt-file", NULL,    VALUE,  0},
    {"--append-system-prompt", NULL,  VALUE,  0},
    {"--append-system-prompt-file", NULL, VALUE, 0},
    {"--settings", NULL,              VALUE,  0},
    {"--setting-sources", NULL,       VALUE,  0},
    {"--json-schema", NULL,           VALUE,  0},
    {"--effort", NULL,                VALUE,  0},
    {"--allowedTools", "--allowed-tools", VALUES, 0},
    {"--disallowedTools", "--disallowed-tools", VALUES, 0},
    {"--tools", NULL,                 VALUES, 0},
    {"--mcp-config", NULL,            VALUES, 0},
    {"--add-dir", NULL,               VALUES, 0},
};
// clang-format on

static const struct flag *flag_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(flags); i++)
        if (str_is(name, flags[i].name) || (flags[i].alias != NULL && str_is(name, flags[i].alias)))
            return &flags[i];
    return NULL;
}

/* Takes the flag at argv[i]; returns the index of its last word, or -1: bad, and said so. */
static int take_flag(struct settings *s, int argc, char **argv, int i)
{
    struct str value = str_of(argv[i]), name;

    (void)str_next(&value, '=', &name);
    bool inlined = strchr(argv[i], '=') != NULL;
    const struct flag *f = flag_find(name);
    void *at = f != NULL && f->at > 0 ? (char *)s + f->at - 1 : NULL;

    if (f == NULL) {
        (void)complain("error: unknown option ", argv[i]);
        return -1;
    }
    if (f->takes == SWITCH) {
        if (at != NULL)
            *(bool *)at = true;
        return i;
    }
    if (!inlined && i + 1 >= argc) {
        (void)complain("error: argument missing for option ", f->name);
        return -1;
    }
    if (at != NULL)
        *(const char **)at = inlined ? value.p : argv[i + 1];
    if (!inlined)
        i++;
    while (f->takes == VALUES && i + 1 < argc && argv[i + 1][0] != '-')
        i++;
    return i;
}

bool args_read(struct settings *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            if (i + 1 < argc)
                s->prompt = argv[i + 1];
            return true;
        }
        if (argv[i][0] != '-')
            s->prompt = argv[i];
        else if ((i = take_flag(s, argc, argv, i)) < 0)
            return false;
    }
    return true;
}

int args_check(const struct settings *s)
{
    if (s->session != NULL && s->resume != NULL)
        return complain(
            "Error: --session-id with --continue or --resume also needs --fork-session.", "");
    if (s->session != NULL && !uuid_valid(str_of(s->session)))
        return complain("Error: Invalid session ID. Must be a valid UUID.", "");
    if (s->resume != NULL && !uuid_valid(str_of(s->resume)))
        return complain("Error: --resume needs a session ID.", "");
    if (!s->verbose)
        return complain("Error: When using --print, --output-format=stream-json requires --verbose",
                        "");
    return 0;
}

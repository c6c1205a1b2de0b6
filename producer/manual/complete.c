/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/manual/complete.h"

#include <stdlib.h>
#include <string.h>

#include "common/option/option_value.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "common/banned.h"

enum { PLAIN_MAX = 64, WORD_MAX_BYTES = 256 };

struct line {
    const char *typed;      /* at the cursor */
    char *plain[PLAIN_MAX]; /* the words before it that are neither flags nor their values */
    int n_plain;
    const struct opt *value_of; /* the flag whose value is being typed; NULL: none */
    struct opt *rows;           /* of the command, else of all */
    size_t n_rows;
    struct buf *out;
    bool files;
};

static void add(struct line *l, struct str before, struct str word, const char *what)
{
    AUTO_BUF whole = BUF_INIT(WORD_MAX_BYTES + 4096);

    buf_addstr(&whole, before);
    buf_addstr(&whole, word);
    if (whole.p && str_starts(buf_str(&whole), l->typed))
        buf_addf(l->out, "%s\t%s\n", whole.p, what);
}

/* --- values --------------------------------------------------------------------------- */

/* "<text|json|jsonl>", "fleet|tenant:NAME|key:NAME": what is written in small letters, up to what
 * one has to think of. */
static void add_choices(struct line *l, struct str before, struct str choices)
{
    struct str one;

    while (choices.n > 0 && str_next(&choices, '|', &one)) {
        size_t n = 0;

        while (n < one.n && ((one.p[n] >= 'a' && one.p[n] <= 'z') || memchr("-_:", one.p[n], 3)))
            n++;
        if (n > 0 && (n == one.n || one.p[n - 1] == ':'))
            add(l, before, (struct str){one.p, n}, "");
    }
}

static void add_profiles(struct line *l, struct str before)
{
    const char *path = getenv("SANDFLEET_CONFIG"), *name;
    struct config *c = NULL;
    struct err err;

    if (config_load(path && *path ? path : NULL, NULL, &c, &err) != ERR_OK)
        return;
    for (size_t i = 0; (name = config_profile_at(c, i)); i++)
        add(l, before, str_of(name), "profile");
    config_free(c);
}

static void add_values(struct line *l, const struct opt *row, struct str before)
{
    const char *arg = row->arg ? row->arg : "";
    size_t n = strlen(arg);

    if (strcmp(row->name, "profile") == 0)
        add_profiles(l, before);
    else if ((row->flags & OPT_SECRET) || strcmp(arg, "<path>") == 0 || strcmp(arg, "<file>") == 0)
        l->files = true;
    else if (n > 2 && memchr(arg, '|', n))
        add_choices(l, before, (struct str){arg + 1, n - 2});
}

/* --- flags ---------------------------------------------------------------------------- */

static const struct opt *row_of(const struct line *l, struct str flag)
{
    char room[OPTION_FLAG_MAX];

    for (size_t i = 0; i < l->n_rows; i++) {
        const struct opt *row = &l->rows[i];

        if (flag.n == 2 && flag.p[0] == '-' && row->letter && flag.p[1] == row->letter)
            return row;
        if (str_starts(flag, "--") &&
            str_is((struct str){flag.p + 2, flag.n - 2}, option_flag(row, room)))
            return row;
    }
    return NULL;
}

static void add_flags(struct line *l)
{
    const char *equals = strchr(l->typed, '=');
    size_t n = equals ? (size_t)(equals - l->typed) : 0;
    const struct opt *row = equals ? row_of(l, (struct str){l->typed, n}) : NULL;
    char room[OPTION_FLAG_MAX];

    if (equals) {
        if (row)
            add_values(l, row, (struct str){l->typed, n + 1});
        return;
    }
    for (size_t i = 0; i < l->n_rows; i++)
        add(l, STR("--"), str_of(option_flag(&l->rows[i], room)), l->rows[i].help);
}

/* --- commands --------------------------------------------------------------------------- */

/* The word of this name that comes behind those typed; empty: none, or they are others. */
static struct str next_word(const struct line *l, const char *name)
{
    struct str rest = str_of(name), word;

    for (int i = 0; i < l->n_plain; i++)
        if (rest.n == 0 || !str_next(&rest, ' ', &word) || !str_is(word, l->plain[i]))
            return (struct str){0};
    if (rest.n == 0 || !str_next(&rest, ' ', &word))
        return (struct str){0};
    return word;
}

static bool has_line(const struct buf *out, struct str word)
{
    struct str rest = buf_str(out), line;

    while (rest.n > 0 && str_next(&rest, '\n', &line))
        if (line.n > word.n && memcmp(line.p, word.p, word.n) == 0 && line.p[word.n] == '\t')
            return true;
    return false;
}

static void add_name(struct line *l, const struct command *c, const struct command_group *group,
                     const char *name)
{
    struct str word = name ? next_word(l, name) : (struct str){0};

    if (word.n > 0 && !has_line(l->out, word))
        add(l, STR(""), word, str_is(word, group->name) && word.p[word.n] ? group->help : c->help);
}

static void add_names(struct line *l)
{
    const struct command_group *group;
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, &group)); i++) {
        if (c->hidden)
            continue;
        add_name(l, c, group, c->name);
        add_name(l, c, group, c->alias);
    }
    if (l->n_plain == 0)
        add(l, STR(""), STR("help"), "Tells what there is.");
}

/* The at-th word of "fleet|tenant:NAME LIMIT VALUE|none|default" or "[FILE]". */
static void add_args(struct line *l, const struct command *c, int at)
{
    struct str rest = str_of(c->args), word = {0};

    if (strstr(c->args, " | ")) /* alternatives as a whole */
        return;
    for (int i = 0; i <= at; i++)
        if (rest.n == 0 || !str_next(&rest, ' ', &word))
            return;
    if (word.n > 2 && word.p[0] == '[')
        word = (struct str){word.p + 1, word.n - 2};
    if (str_starts(word, "FILE"))
        l->files = true;
    else if (str_is(word, "PAGE"))
        for (size_t g = 0; g < command_groups_n; g++)
            add(l, STR(""), str_of(command_groups[g].name), command_groups[g].help);
    else if (memchr(word.p, '|', word.n))
        add_choices(l, STR(""), word);
}

/* --- the line --------------------------------------------------------------------------- */

/* Words before the cursor: which are plain, and whether the last one waits for its value. */
static void sort_words(struct line *l, int n, char *const *words)
{
    l->n_plain = 0;
    l->value_of = NULL;
    for (int i = 0; i < n - 1; i++) {
        const struct opt *row = NULL;

        if (words[i][0] != '-' || words[i][1] == '\0') {
            if (l->n_plain < PLAIN_MAX)
                l->plain[l->n_plain++] = words[i];
            continue;
        }
        row = strchr(words[i], '=') ? NULL : row_of(l, str_of(words[i]));
        if (!row || (row->type == OPT_BOOL && !(row->flags & OPT_SECRET)))
            continue;
        if (i + 1 == n - 1)
            l->value_of = row;
        i++;
    }
}

static void skip_help(struct line *l)
{
    if (l->n_plain > 0 && strcmp(l->plain[0], "help") == 0)
        memmove(l->plain, l->plain + 1, (size_t)--l->n_plain * sizeof *l->plain);
}

bool complete_words(int n, char *const *words, struct buf *out)
{
    struct line l = {.typed = n > 0 ? words[n - 1] : "", .out = out};
    struct command_match m;

    l.rows = command_all_rows(&l.n_rows);
    sort_words(&l, n, words);
    m = command_find(l.n_plain, l.plain);
    if (m.command) { /* its letters may mean something else */
        free(l.rows);
        l.rows = command_rows(m.command, &l.n_rows);
        sort_words(&l, n, words);
    }
    if (l.value_of) {
        add_values(&l, l.value_of, STR(""));
    } else if (l.typed[0] == '-') {
        add_flags(&l);
    } else {
        if (m.command)
            add_args(&l, m.command, l.n_plain - m.words);
        skip_help(&l);
        add_names(&l);
    }
    free(l.rows);
    return l.files;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up in the command tree. */
#include "producer/command.h"

#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "producer/options.h"
#include "common/banned.h"

enum { TYPED_MAX_BYTES = 128 };

/* How many words of argv the name is made of, 0 when argv does not begin with it. */
static int match(const char *name, int argc, char *const *argv)
{
    struct str rest = str_of(name), word;
    int n = 0;

    while (rest.n && str_next(&rest, ' ', &word)) {
        if (n >= argc || !str_is(word, argv[n]))
            return 0;
        n++;
    }
    return n;
}

const struct command *command_at(size_t i, const struct command_group **group)
{
    for (size_t g = 0; g < command_groups_n; g++)
        for (size_t l = 0; l < GROUP_LISTS && command_groups[g].lists[l]; l++) {
            const struct command_list *list = command_groups[g].lists[l];

            if (i < list->n) {
                if (group)
                    *group = &command_groups[g];
                return &list->rows[i];
            }
            i -= list->n;
        }
    return NULL;
}

/* The group that this noun is the name of, or its commands' first word. */
static const struct command_group *group_of(const char *noun)
{
    const struct command_group *group;
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, &group)); i++) {
        struct str name = str_of(c->name), word;

        if (str_next(&name, ' ', &word) && str_is(word, noun))
            return group;
    }
    for (size_t i = 0; i < command_groups_n; i++)
        if (strcmp(command_groups[i].name, noun) == 0)
            return &command_groups[i];
    return NULL;
}

struct command_match command_find(int argc, char *const *argv)
{
    struct command_match best = {0};
    const struct command_group *group;
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, &group)); i++) {
        int by_name = match(c->name, argc, argv);
        int n = by_name || !c->alias ? by_name : match(c->alias, argc, argv);

        if (n > best.words)
            best = (struct command_match){c, group, n};
    }
    if (!best.command && argc > 0 && (best.group = group_of(argv[0])))
        best.words = 1;
    return best;
}

/* The first words that are no flag, with a space between: as many as a name may have. */
static void join(int argc, char *const *argv, int words, struct buf *out)
{
    for (int i = 0; i < argc && i < words && argv[i][0] != '-'; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        buf_adds(out, argv[i]);
    }
}

static void try_names(struct nearest *near)
{
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, NULL)); i++) {
        nearest_try(near, c->name);
        if (c->alias)
            nearest_try(near, c->alias);
    }
}

void command_nearest(int argc, char *const *argv, char *out, size_t size)
{
    size_t best = TYPED_MAX_BYTES;

    out[0] = '\0';
    for (int words = 1; words <= 3 && words <= argc; words++) { /* "run lst" and "evnts RUN_ID" */
        AUTO_BUF typed = BUF_INIT(TYPED_MAX_BYTES);

        join(argc, argv, words, &typed);
        struct nearest near = nearest_of(buf_str(&typed));
        try_names(&near);
        if (near.name[0] && near.distance <= best && strlen(near.name) < size) {
            best = near.distance;
            memcpy(out, near.name, strlen(near.name) + 1);
        }
    }
}

struct opt *command_rows(const struct command *c, size_t *n)
{
    struct opt *rows;

    *n = options_general.n;
    for (const struct option_set *const *s = c->options; *s; s++)
        *n += (*s)->n;
    rows = calloc(*n, sizeof *rows);
    *n = rows ? *n : 0;
    if (!rows)
        return NULL;
    struct opt *at = rows;
    memcpy(at, options_general.rows, options_general.n * sizeof *at);
    at += options_general.n;
    for (const struct option_set *const *s = c->options; *s; s++) {
        memcpy(at, (*s)->rows, (*s)->n * sizeof *at);
        at += (*s)->n;
    }
    return rows;
}

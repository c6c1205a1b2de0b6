/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up in the command tree. */
#include "producer/command.h"

#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "producer/client.h"
#include "producer/config/config.h"
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

/* Is it short for "NOUN verb", and the noun itself? */
static bool is_noun(const struct command *c)
{
    size_t n = strlen(c->alias);

    return strncmp(c->name, c->alias, n) == 0 && c->name[n] == ' ';
}

struct command_match command_find(int argc, char *const *argv)
{
    struct command_match best = {0};
    const struct command_group *group;
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, &group)); i++) {
        int n = match(c->name, argc, argv);
        int short_n = c->alias ? match(c->alias, argc, argv) : 0;

        if (n > best.words)
            best = (struct command_match){c, group, n, false};
        if (short_n > best.words)
            best = (struct command_match){c, group, short_n, is_noun(c)};
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
        if (c->hidden)
            continue;
        nearest_try(near, c->name);
        if (c->alias)
            nearest_try(near, c->alias);
    }
}

void command_nearest(int argc, char *const *argv, char *out, size_t size)
{
    size_t best = TYPED_MAX_BYTES;

    out[0] = '\0';
    for (int words = argc > 1 && group_of(argv[0]) ? 2 : 1; words <= 3 && words <= argc;
         words++) { /* "run lst" and "evnts RUN_ID" */
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

/* --- options ---------------------------------------------------------------------- */

struct row_list {
    struct opt *rows;
    size_t n, room;
    bool all;   /* commands', each name once, rather than those of one */
    size_t own; /* of n: those of the one that has the others', too */
    bool failed;
};

static void add_row(struct row_list *l, const struct opt *row)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 32;
        struct opt *more = realloc(l->rows, room * sizeof *more);

        if (!more) {
            l->failed = true;
            return;
        }
        l->rows = more;
        l->room = room;
    }
    l->rows[l->n++] = *row;
}

static struct opt *row_of(const struct row_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->rows[i].name, name) == 0)
            return &l->rows[i];
    return NULL;
}

/* Of two options of one name, that of an installation is kept before that of one call. */
static void add_set(struct row_list *l, const struct option_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        struct opt *before = l->all ? row_of(l, set->rows[i].name) : NULL;

        if (!before)
            add_row(l, &set->rows[i]);
        else if (before >= l->rows + l->own && !config_has(before) && config_has(&set->rows[i]))
            *before = set->rows[i];
    }
}

static void add_command(struct row_list *l, const struct command *c)
{
    add_set(l, &options_general);
    for (const struct option_set *const *s = c->options; *s; s++)
        add_set(l, *s);
}

static void add_all(struct row_list *l)
{
    const struct command *c;

    for (size_t i = 0; (c = command_at(i, NULL)); i++)
        add_command(l, c);
}

static struct opt *rows_of(struct row_list *l, size_t *n)
{
    if (l->failed) {
        free(l->rows);
        l->rows = NULL;
        l->n = 0;
    }
    *n = l->n;
    return l->rows;
}

struct opt *command_all_rows(size_t *n)
{
    struct row_list l = {.all = true};

    add_all(&l);
    return rows_of(&l, n);
}

enum { FIELD_BYTES = 16 }; /* of the largest type of field */
_Static_assert(sizeof(struct opt_list) <= FIELD_BYTES, "a field has room");

static size_t own_size(const struct command *c)
{
    size_t size = c->size ? c->size : sizeof(struct client);

    return (size + FIELD_BYTES - 1) / FIELD_BYTES * FIELD_BYTES;
}

/* Whoever has the settings of every command has those of others behind its own. */
struct opt *command_rows(const struct command *c, size_t *n)
{
    struct row_list l = {0};
    size_t own, kept = 0;

    add_command(&l, c);
    own = l.own = l.n;
    l.all = c->all_options;
    if (l.all)
        add_all(&l);
    for (size_t i = 0; i < l.n; i++) {
        struct opt row = l.rows[i];

        if (i >= own && !config_has(&row))
            continue;
        if (i >= own)
            row.at = own_size(c) + (kept - own) * FIELD_BYTES;
        l.rows[kept++] = row;
    }
    l.n = kept;
    return rows_of(&l, n);
}

size_t command_size(const struct command *c)
{
    size_t n = 0, size = own_size(c);

    if (c->all_options) {
        free(command_rows(c, &n));
        size += n * FIELD_BYTES;
    }
    return size;
}

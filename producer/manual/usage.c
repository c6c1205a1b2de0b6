/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/manual/usage.h"

#include <string.h>

#include "producer/exit_status.h"
#include "producer/manual/page.h"
#include "producer/options.h"
#include "common/banned.h"

enum { COLUMNS = 80, NAMES = 16 }; /* the column behind the commands' names */

/* Words of `text` in lines, those behind the first indented as it is. */
static void words(struct str rest, int indent, FILE *to)
{
    size_t column = (size_t)indent;
    struct str word;

    while (rest.n > 0) {
        size_t n = 0;

        while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\n')
            n++;
        word = (struct str){rest.p, n};
        rest = n < rest.n ? (struct str){rest.p + n + 1, rest.n - n - 1} : (struct str){0};
        bool first = column == (size_t)indent;
        if (!first && column + 1 + word.n > COLUMNS) {
            (void)fprintf(to, "\n%*s", indent, "");
            column = (size_t)indent;
            first = true;
        }
        (void)fprintf(to, "%s" STR_FMT, first ? "" : " ", STR_ARG(word));
        column += word.n + !first;
    }
    (void)fputc('\n', to);
}

static void paragraph(const char *text, int indent, FILE *to)
{
    words(str_of(text), indent, to);
}

/* Paragraphs, and what stays as it is (page.h). */
static void paragraphs(const char *text, FILE *to)
{
    struct str rest = str_of(text), block;
    bool verbatim;

    while (page_next(&rest, &block, &verbatim)) {
        (void)fputc('\n', to);
        if (verbatim)
            (void)fprintf(to, STR_FMT "\n", STR_ARG(block));
        else
            words(block, 0, to);
    }
}

static void list(const struct command_group *group, FILE *to)
{
    const struct command_group *its;
    const struct command *c;

    (void)fprintf(to, "%s:\n", group->help);
    for (size_t i = 0; (c = command_at(i, &its)); i++)
        if (its == group && !c->hidden) {
            (void)fprintf(to, "  %-*s", NAMES - 2, c->name);
            if (strlen(c->name) >= NAMES - 2)
                (void)fprintf(to, "\n%*s", NAMES, "");
            paragraph(c->help, NAMES, to);
        }
    (void)fputc('\n', to);
}

void usage_all(FILE *to)
{
    (void)fputs("sandfleet: runs Claude Code prompts in sandboxes, through Kafka into Postgres\n\n"
                "usage: sandfleet COMMAND [options]\n\n",
                to);
    for (size_t i = 0; i < command_groups_n; i++)
        list(&command_groups[i], to);
    (void)fputs(
        "`sandfleet COMMAND --help` tells its options; what an installation always has may\n"
        "stand in the environment or in a profile (`sandfleet config show`). The manual:\n"
        "`sandfleet man | man -l -`. Exit status:\n",
        to);
    for (size_t i = 0; i < exit_rows_n; i++) {
        (void)fprintf(to, "  %3d  ", exit_rows[i].status);
        paragraph(exit_rows[i].when, 7, to);
    }
}

void usage_group(const struct command_group *group, FILE *to)
{
    list(group, to);
    (void)fputs("`sandfleet COMMAND --help` tells its options.\n", to);
}

static void options(const struct option_set *set, FILE *to)
{
    (void)fprintf(to, "\n%s:\n", set->title);
    option_help(set->rows, set->n, to);
}

static void examples(const char *text, FILE *to)
{
    struct str rest = str_of(text), line;

    (void)fputs("\nExamples:\n", to);
    while (rest.n > 0 && str_next(&rest, '\n', &line))
        (void)fprintf(to, "  " STR_FMT "\n", STR_ARG(str_trim(line)));
}

void usage_command(const struct command *c, FILE *to)
{
    (void)fprintf(to, "%s\n\nusage: sandfleet %s [options]%s%s\n", c->help, c->name,
                  c->args[0] ? " " : "", c->args);
    if (c->alias)
        (void)fprintf(to, "short: sandfleet %s\n", c->alias);
    if (c->more)
        paragraphs(c->more, to);
    for (const struct option_set *const *s = c->options; *s; s++)
        options(*s, to);
    options(&options_general, to);
    if (c->examples)
        examples(c->examples, to);
}

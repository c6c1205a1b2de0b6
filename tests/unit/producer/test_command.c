/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a person types leads to the command that is meant, or to a text that names it.
 * Proof: a table of command lines; and each row of the tree is walked for what it must have. */
#include <stdio.h>
#include <string.h>

#include "producer/command.h"
#include "producer/exit_status.h"
#include "producer/options.h"
#include "tests/lib/table.h"

struct row {
    const char *name; /* what is typed */
    const char *command, *group;
    int words;
    const char *nearest;
};

static struct row rows[] = {
    {"run", "run", "run", 1, NULL},
    {"run hello", "run", "run", 1, NULL},
    {"runs follow ID", "runs follow", "runs", 2, NULL},
    {"follow ID", "runs follow", "runs", 1, NULL},
    {"events --gaps", "runs events", "runs", 1, NULL},
    {"limits", "limits get", "limits", 1, NULL},
    {"limits set fleet", "limits set", "limits", 2, NULL},
    {"runs", NULL, "runs", 1, NULL},
    {"topics", NULL, "setup", 1, NULL},
    {"setup", NULL, "setup", 1, NULL},
    {"runs evnts ID", NULL, "runs", 1, "runs events"},
    {"runs canel", NULL, "runs", 1, "runs cancel"},
    {"evens ID", NULL, NULL, 0, "events"},
    {"limts", NULL, NULL, 0, "limits"},
    {"limts set fleet", NULL, NULL, 0, "limits set"},
    {"limits se fleet", "limits get", "limits", 1, "limits set"},
    {"xyzzy", NULL, NULL, 0, ""},
    {"", NULL, NULL, 0, ""},
};

static void check(void **state)
{
    const struct row *row = *state;
    char line[128], near[64], *argv[16];
    int argc = 0;

    snprintf(line, sizeof line, "%s", row->name);
    for (char *save, *p = strtok_r(line, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    struct command_match m = command_find(argc, argv);
    assert_string_equal(m.command ? m.command->name : "-", row->command ? row->command : "-");
    assert_string_equal(m.group ? m.group->name : "-", row->group ? row->group : "-");
    assert_int_equal(m.words, row->words);
    if (row->nearest) {
        command_nearest(argc, argv, near, sizeof near);
        assert_string_equal(near, row->nearest);
    }
}

static bool is_sentence(const char *text)
{
    size_t n = strlen(text);

    return n > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[n - 1] == '.';
}

/* Names, letters and places of a command's options do not collide; sentences are sentences. */
static void check_options(const struct command *c)
{
    size_t n;
    struct opt *o = command_rows(c, &n);

    assert_non_null(o);
    for (size_t i = 0; i < n; i++) {
        if (!is_sentence(o[i].help))
            fail_msg("%s --%s: no sentence: %s", c->name, o[i].name, o[i].help);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(o[i].name, o[j].name) == 0)
                fail_msg("%s: --%s twice", c->name, o[i].name);
            if (o[i].letter && o[i].letter == o[j].letter)
                fail_msg("%s: -%c twice", c->name, o[i].letter);
            if (o[i].at == o[j].at)
                fail_msg("%s: --%s and --%s in one place", c->name, o[i].name, o[j].name);
        }
    }
    free(o);
}

static void check_tree(void **state)
{
    const struct command *c, *d;

    (void)state;
    for (size_t i = 0; (c = command_at(i, NULL)); i++) {
        if (c->scope == SCOPE_MISSING || !c->run || !c->options || !c->args)
            fail_msg("%s: its row is not whole", c->name);
        if (!is_sentence(c->help))
            fail_msg("%s: no sentence: %s", c->name, c->help);
        for (size_t j = 0; j < i; j++) {
            d = command_at(j, NULL);
            if (strcmp(c->name, d->name) == 0 || (d->alias && strcmp(c->name, d->alias) == 0) ||
                (c->alias && strcmp(c->alias, d->name) == 0) ||
                (c->alias && d->alias && strcmp(c->alias, d->alias) == 0))
                fail_msg("'%s' and '%s' have a name in common", c->name, d->name);
        }
        check_options(c);
    }
}

/* Every error ends with a status that the table explains. */
static void check_statuses(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODES; code++) {
        bool told = false;

        for (size_t i = 0; i < exit_rows_n; i++)
            told = told || exit_rows[i].status == (int)exit_status_of((enum err_code)code);
        if (!told)
            fail_msg("%s: no row", err_name((enum err_code)code));
    }
    for (size_t i = 1; i < exit_rows_n; i++)
        assert_true(exit_rows[i - 1].status < exit_rows[i].status);
}

int main(void)
{
    const struct CMUnitTest whole[] = {
        cmocka_unit_test_prestate(check_tree, NULL),
        cmocka_unit_test_prestate(check_statuses, NULL),
    };

    return TABLE_RUN("command", rows, check) +
           cmocka_run_group_tests_name("tree", whole, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings come from: the rows' defaults, then a source such as a file, then the
 * environment, then the command line. */
#include "common/option/option.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "common/option/option_value.h"
#include "common/secret/secret.h"
#include "common/banned.h"

enum { ROWS_MAX = 128 };

struct parse {
    const struct opt *rows;
    size_t n;
    void *settings;
    const struct opt_source *source;
    struct opt_origin *origins;
    char **argv;
    int argc, at, words;    /* at: the argument that is being read */
    bool given[ROWS_MAX];   /* by anything: a default counts, too */
    bool flagged[ROWS_MAX]; /* on the command line */
    struct err *err;
};

static bool is_secret(const struct opt *row)
{
    return (row->flags & OPT_SECRET) != 0;
}

static void came_from(struct parse *p, size_t i, enum opt_from from, const char *where)
{
    p->given[i] = true;
    if (!p->origins)
        return;
    p->origins[i].from = from;
    (void)snprintf(p->origins[i].where, sizeof p->origins[i].where, "%s", where);
}

/* --- defaults, source and environment ------------------------------------------------- */

/* A weaker source's items go, unless the list is what all say together. */
static void begin_list(const struct opt *row, void *settings)
{
    if (!(row->flags & OPT_MERGE))
        option_clear(row, settings);
}

/* A list in one text has its items between commas. */
static enum err_code set_all(const struct opt *row, void *settings, const char *from,
                             const char *text, struct err *err)
{
    struct str rest = str_of(text), item;
    enum err_code rc = ERR_OK;

    if (row->type != OPT_LIST)
        return option_set(row, settings, from, text, err);
    begin_list(row, settings);
    while (rc == ERR_OK && str_next(&rest, ',', &item)) {
        char *copy = str_dup(item);

        rc = copy ? option_set(row, settings, from, copy, err)
                  : err_set(err, ERR_NOMEM, "%s: out of memory", from);
        free(copy);
    }
    return rc;
}

static enum err_code set_secret(const struct opt *row, void *settings, struct secret *s)
{
    if (s) {
        option_clear(row, settings);
        *(struct secret **)option_at(row, settings) = s;
    }
    return ERR_OK;
}

static enum err_code from_default(struct parse *p, size_t i)
{
    const struct opt *row = &p->rows[i];
    enum err_code rc;

    if (!row->def)
        return ERR_OK;
    came_from(p, i, OPT_FROM_DEFAULT, "");
    rc = set_all(row, p->settings, row->name, row->def, p->err);
    assert(rc != ERR_USAGE); /* a row whose own default is refused is our bug */
    return rc;
}

static enum err_code use_found(struct parse *p, const struct opt *row, const struct opt_found *f)
{
    char from[OPT_WHERE_MAX + OPTION_FLAG_MAX];
    struct secret *s = NULL;
    enum err_code rc;

    (void)snprintf(from, sizeof from, "%s: %s%s", f->where, row->name, f->is_file ? "-file" : "");
    if (is_secret(row)) {
        rc = f->is_file ? secret_from_file(f->text, &s, p->err)
                        : secret_new(str_of(f->text), &s, p->err);
        rc = rc == ERR_OK ? set_secret(row, p->settings, s) : err_wrap(p->err, "%s", from);
    } else {
        rc = option_set(row, p->settings, from, f->text, p->err);
    }
    if (rc != ERR_OK && rc != ERR_NOMEM)
        rc = p->err->code = ERR_CONFIG;
    return rc;
}

static enum err_code from_source(struct parse *p, size_t i)
{
    const struct opt *row = &p->rows[i];
    struct opt_found found = {.text = ""};
    enum err_code rc = ERR_OK;

    if (!p->source || (row->flags & (OPT_NO_ENV | OPT_CONFIG)) == OPT_NO_ENV)
        return ERR_OK;
    for (size_t k = 0; rc == ERR_OK; k++) {
        rc = p->source->value(p->source->ctx, row, k, &found, p->err);
        if (rc != ERR_OK || !found.text)
            return rc;
        if (k == 0 && row->type == OPT_LIST)
            begin_list(row, p->settings);
        came_from(p, i, OPT_FROM_SOURCE, found.where);
        rc = use_found(p, row, &found);
    }
    return rc;
}

static enum err_code from_env(struct parse *p, size_t i)
{
    const struct opt *row = &p->rows[i];
    char name[OPTION_ENV_MAX];
    const char *env = option_env(row, name), *text;
    struct secret *s = NULL;
    enum err_code rc;

    if (row->flags & OPT_NO_ENV)
        return ERR_OK;
    if (is_secret(row)) {
        if (secret_from_env(env, &s, p->err) != ERR_OK)
            return p->err->code;
        if (s)
            came_from(p, i, OPT_FROM_ENV, env);
        return set_secret(row, p->settings, s);
    }
    text = getenv(env);
    if (!text || !*text)
        return ERR_OK;
    came_from(p, i, OPT_FROM_ENV, env);
    rc = set_all(row, p->settings, env, text, p->err);
    if (rc == ERR_USAGE) /* the command line is in order */
        rc = p->err->code = ERR_CONFIG;
    return rc;
}

static enum err_code before_flags(struct parse *p)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < p->n && rc == ERR_OK; i++) {
        rc = from_default(p, i);
        if (rc == ERR_OK)
            rc = from_source(p, i);
        if (rc == ERR_OK)
            rc = from_env(p, i);
    }
    return rc;
}

/* --- the command line ------------------------------------------------------------------- */

static enum err_code unknown_flag(const struct parse *p, struct str name)
{
    struct nearest near = nearest_of(name);
    int shown = name.n < OPTION_FLAG_MAX ? (int)name.n : OPTION_FLAG_MAX;

    for (size_t i = 0; i < p->n; i++) {
        char room[OPTION_FLAG_MAX];

        nearest_try(&near, option_flag(&p->rows[i], room));
    }
    if (*near.name)
        return err_set(p->err, ERR_USAGE, "unknown flag '--%.*s': did you mean '--%s'?", shown,
                       name.p, near.name);
    return err_set(p->err, ERR_USAGE, "unknown flag '--%.*s'", shown, name.p);
}

static enum err_code use_flag(struct parse *p, size_t i, const char *from, const char *value)
{
    const struct opt *row = &p->rows[i];
    struct secret *s = NULL;

    came_from(p, i, OPT_FROM_FLAG, from);
    if (is_secret(row)) {
        if (secret_from_file(value, &s, p->err) != ERR_OK)
            return err_wrap(p->err, "%s", from);
        return set_secret(row, p->settings, s);
    }
    if (row->type == OPT_LIST && !p->flagged[i])
        begin_list(row, p->settings); /* the command line replaces what the environment said */
    p->flagged[i] = true;
    return option_set(row, p->settings, from, value, p->err);
}

/* A flag's value: glued to it, or the next argument. */
static enum err_code use_with_value(struct parse *p, size_t i, const char *from, const char *glued)
{
    const struct opt *row = &p->rows[i];

    if (row->type == OPT_BOOL && !is_secret(row)) {
        if (glued)
            return err_set(p->err, ERR_USAGE, "%s takes no value", from);
        return use_flag(p, i, from, "true");
    }
    if (glued)
        return use_flag(p, i, from, glued);
    if (p->at + 1 >= p->argc)
        return err_set(p->err, ERR_USAGE, "%s needs a value: %s", from,
                       row->arg ? row->arg : "<value>");
    return use_flag(p, i, from, p->argv[++p->at]);
}

static enum err_code long_flag(struct parse *p, const char *arg)
{
    const char *equals = strchr(arg, '=');
    struct str name = {arg + 2, (equals ? (size_t)(equals - arg) : strlen(arg)) - 2};
    char from[OPTION_FLAG_MAX + 3] = "--", room[OPTION_FLAG_MAX];

    for (size_t i = 0; i < p->n; i++) {
        const struct opt *row = &p->rows[i];

        if (is_secret(row) && str_is(name, row->name)) {
            char env[OPTION_ENV_MAX];

            return err_set(p->err, ERR_USAGE,
                           "--%s: a secret is not taken from the command line: use --%s or %s",
                           row->name, option_flag(row, room), option_env(row, env));
        }
        if (str_is(name, option_flag(row, room))) {
            memcpy(from + 2, name.p, name.n); /* no longer than the row's own name */
            return use_with_value(p, i, from, equals ? equals + 1 : NULL);
        }
    }
    return unknown_flag(p, name);
}

static enum err_code short_flag(struct parse *p, const char *arg)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->rows[i].letter == arg[1])
            return use_with_value(p, i, (char[3]){'-', arg[1]}, arg[2] ? arg + 2 : NULL);
    return err_set(p->err, ERR_USAGE, "unknown flag '%.64s'", arg);
}

static void keep_word(struct parse *p, char *arg)
{
    p->argv[++p->words] = arg;
}

static enum err_code read_flags(struct parse *p)
{
    enum err_code rc = ERR_OK;
    bool only_words = false;

    for (p->at = 1; p->at < p->argc && rc == ERR_OK; p->at++) {
        char *arg = p->argv[p->at];

        if (only_words || arg[0] != '-' || arg[1] == '\0')
            keep_word(p, arg); /* "-" alone is a word: standard input */
        else if (strcmp(arg, "--") == 0)
            only_words = true;
        else if (arg[1] == '-')
            rc = long_flag(p, arg);
        else
            rc = short_flag(p, arg);
    }
    return rc;
}

static enum err_code check_required(const struct parse *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct opt *row = &p->rows[i];
        char room[OPTION_FLAG_MAX], env[OPTION_ENV_MAX];

        if (!(row->flags & OPT_REQUIRED))
            continue;
        if (p->given[i] && !option_is_empty(row, p->settings))
            continue;
        if (is_secret(row) && !option_is_empty(row, p->settings))
            continue;
        if (row->flags & OPT_NO_ENV)
            return err_set(p->err, ERR_USAGE, "--%s is missing", option_flag(row, room));
        return err_set(p->err, ERR_USAGE, "--%s is missing: give it, or set %s",
                       option_flag(row, room), option_env(row, env));
    }
    return ERR_OK;
}

enum err_code option_parse_from(const struct opt_input *in, int *n_words, struct err *err)
{
    struct parse p = {.rows = in->rows,
                      .n = in->n,
                      .settings = in->settings,
                      .source = in->source,
                      .origins = in->origins,
                      .argc = in->argc,
                      .argv = in->argv};
    struct err ours;
    enum err_code rc;

    assert(in->n <= ROWS_MAX);
    p.err = err ? err : &ours;
    rc = before_flags(&p);
    if (rc == ERR_OK)
        rc = read_flags(&p);
    *n_words = p.words;
    return rc == ERR_OK ? check_required(&p) : rc;
}

enum err_code option_parse(const struct opt *rows, size_t n, void *settings, int argc, char **argv,
                           int *n_words, struct err *err)
{
    const struct opt_input in = {
        .rows = rows, .n = n, .settings = settings, .argc = argc, .argv = argv};

    return option_parse_from(&in, n_words, err);
}

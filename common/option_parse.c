/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings come from: the rows' defaults, then the environment, then the command line. */
#include "common/option.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "common/option_value.h"
#include "common/secret.h"
#include "common/banned.h"

enum { ROWS_MAX = 128, NAME_MAX_BYTES = 64 };

static const char file_suffix[] = "-file";

struct parse {
    const struct opt *rows;
    size_t n;
    void *settings;
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

/* --- defaults and environment --------------------------------------------------------- */

/* A list in one text has its items between commas. */
static enum err_code set_all(const struct opt *row, void *settings, const char *from,
                             const char *text, struct err *err)
{
    struct str rest = str_of(text), item;
    enum err_code rc = ERR_OK;

    if (row->type != OPT_LIST)
        return option_set(row, settings, from, text, err);
    option_clear(row, settings);
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

static enum err_code from_env(struct parse *p, size_t i)
{
    const struct opt *row = &p->rows[i];
    char name[OPTION_ENV_MAX];
    const char *env = option_env(row, name), *text;
    struct secret *s = NULL;

    if (row->flags & OPT_NO_ENV)
        return ERR_OK;
    if (is_secret(row)) {
        if (secret_from_env(env, &s, p->err) != ERR_OK)
            return p->err->code;
        return set_secret(row, p->settings, s);
    }
    text = getenv(env);
    if (!text || !*text)
        return ERR_OK;
    p->given[i] = true;
    return set_all(row, p->settings, env, text, p->err);
}

static enum err_code before_flags(struct parse *p)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < p->n && rc == ERR_OK; i++) {
        const struct opt *row = &p->rows[i];

        if (row->def) {
            p->given[i] = true;
            rc = set_all(row, p->settings, row->name, row->def, p->err);
            assert(rc != ERR_USAGE); /* a row whose own default is refused is our bug */
        }
        if (rc == ERR_OK)
            rc = from_env(p, i);
    }
    return rc;
}

/* --- the command line ------------------------------------------------------------------- */

/* What is typed for a row: a secret has no flag but its file's. */
static const char *flag_name(const struct opt *row, char out[NAME_MAX_BYTES])
{
    size_t n = strlen(row->name);

    if (!is_secret(row))
        return row->name;
    memcpy(out, row->name, n);
    memcpy(out + n, file_suffix, sizeof file_suffix);
    return out;
}

static enum err_code unknown_flag(const struct parse *p, struct str name)
{
    struct nearest near = nearest_of(name);
    int shown = name.n < NAME_MAX_BYTES ? (int)name.n : NAME_MAX_BYTES;

    for (size_t i = 0; i < p->n; i++) {
        char room[NAME_MAX_BYTES];

        nearest_try(&near, flag_name(&p->rows[i], room));
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

    p->given[i] = true;
    if (is_secret(row)) {
        if (secret_from_file(value, &s, p->err) != ERR_OK)
            return err_wrap(p->err, "%s", from);
        return set_secret(row, p->settings, s);
    }
    if (row->type == OPT_LIST && !p->flagged[i])
        option_clear(row, p->settings); /* the command line replaces what the environment said */
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
    char from[NAME_MAX_BYTES + 3] = "--", room[NAME_MAX_BYTES];

    for (size_t i = 0; i < p->n; i++) {
        const struct opt *row = &p->rows[i];

        if (is_secret(row) && str_is(name, row->name)) {
            char env[OPTION_ENV_MAX];

            return err_set(p->err, ERR_USAGE,
                           "--%s: a secret is not taken from the command line: use --%s%s or %s",
                           row->name, row->name, file_suffix, option_env(row, env));
        }
        if (str_is(name, flag_name(row, room))) {
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
        char room[NAME_MAX_BYTES], env[OPTION_ENV_MAX];

        if (!(row->flags & OPT_REQUIRED))
            continue;
        if (p->given[i] && !option_is_empty(row, p->settings))
            continue;
        if (is_secret(row) && !option_is_empty(row, p->settings))
            continue;
        if (row->flags & OPT_NO_ENV)
            return err_set(p->err, ERR_USAGE, "--%s is missing", flag_name(row, room));
        return err_set(p->err, ERR_USAGE, "--%s is missing: give it, or set %s",
                       flag_name(row, room), option_env(row, env));
    }
    return ERR_OK;
}

enum err_code option_parse(const struct opt *rows, size_t n, void *settings, int argc, char **argv,
                           int *n_words, struct err *err)
{
    struct parse p = {.rows = rows, .n = n, .settings = settings, .argc = argc, .argv = argv};
    struct err ours;
    enum err_code rc;

    assert(n <= ROWS_MAX);
    for (size_t i = 0; i < n; i++)
        assert(strlen(rows[i].name) + sizeof file_suffix <= NAME_MAX_BYTES);
    p.err = err ? err : &ours;
    rc = before_flags(&p);
    if (rc == ERR_OK)
        rc = read_flags(&p);
    *n_words = p.words;
    return rc == ERR_OK ? check_required(&p) : rc;
}

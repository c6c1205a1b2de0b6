/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "schema/run_request.h"
#include "common/banned.h"

static const struct {
    const char *name, *env;
} kinds[CREDENTIAL_KINDS] = {
    [CREDENTIAL_NONE] = {"none", NULL},
    [CREDENTIAL_OAUTH] = {"oauth", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"},
    [CREDENTIAL_API_KEY] = {"api_key", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR"},
};

const char *credential_kind_name(enum credential_kind k)
{
    return kinds[k].name;
}

const char *credential_kind_env(enum credential_kind k)
{
    return kinds[k].env;
}

/* --- the list ---------------------------------------------------------------- */

static bool name_is(const char *have, struct str want)
{
    return have && str_is(want, have);
}

/* A name means one thing: a credential or a pool. */
static bool taken(const struct credentials *c, struct str name, struct str pool)
{
    for (size_t i = 0; i < c->n; i++)
        if (name_is(c->items[i].name, name) || name_is(c->items[i].pool, name) ||
            name_is(c->items[i].name, pool))
            return true;
    return pool.n > 0 && str_eq(name, pool);
}

static void credential_release(struct credential *one)
{
    free(one->name);
    free(one->pool);
    secret_free(one->secret);
}

static enum err_code copy(struct credential *one, struct str name, struct str pool,
                          enum credential_kind kind, struct str secret, struct err *err)
{
    enum err_code rc = ERR_OK;

    *one = (struct credential){.name = str_dup(name), .kind = kind};
    if (pool.n > 0)
        one->pool = str_dup(pool);
    if (!one->name || (pool.n > 0 && !one->pool))
        rc = err_set(err, ERR_NOMEM, "a credential");
    else if (kind != CREDENTIAL_NONE)
        rc = secret_new(secret, &one->secret, err);
    if (rc != ERR_OK)
        credential_release(one);
    return rc;
}

enum err_code credentials_add(struct credentials *c, struct str name, struct str pool,
                              enum credential_kind kind, struct str secret, struct err *err)
{
    struct credential *more;

    if (c->n == CREDENTIALS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d credentials", CREDENTIALS_MAX);
    if (taken(c, name, pool))
        return err_set(err, ERR_CONFIG,
                       "credential '" STR_FMT "': its name, or its pool's, is another one's",
                       STR_ARG(name));
    more = realloc(c->items, (c->n + 1) * sizeof(*more));
    if (!more)
        return err_set(err, ERR_NOMEM, "a credential");
    c->items = more;
    enum err_code rc = copy(&c->items[c->n], name, pool, kind, secret, err);
    if (rc == ERR_OK)
        c->n++;
    return rc;
}

const struct credential *credentials_find(const struct credentials *c, const char *name)
{
    for (size_t i = 0; name && i < c->n; i++)
        if (strcmp(c->items[i].name, name) == 0)
            return &c->items[i];
    return NULL;
}

void credentials_release(struct credentials *c)
{
    for (size_t i = 0; i < c->n; i++)
        credential_release(&c->items[i]);
    free(c->items);
    *c = (struct credentials){0};
}

/* --- the file ---------------------------------------------------------------- */

enum { WORDS = 4 };

/* Cuts a line into at most WORDS + 1 words. */
static size_t cut(struct str line, struct str word[WORDS + 1])
{
    size_t n = 0, at = 0;

    while (n <= WORDS) {
        while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
            at++;
        size_t from = at;
        while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
            at++;
        if (at == from)
            break;
        word[n++] = (struct str){line.p + from, at - from};
    }
    return n;
}

static enum credential_kind kind_of(struct str s)
{
    for (int k = CREDENTIAL_OAUTH; k < CREDENTIAL_KINDS; k++)
        if (str_is(s, kinds[k].name))
            return (enum credential_kind)k;
    return CREDENTIAL_NONE;
}

static enum err_code parse_line(struct credentials *c, struct str line, struct err *err)
{
    struct str word[WORDS + 1];
    size_t n = cut(line, word);
    enum credential_kind kind = n > 1 ? kind_of(word[1]) : CREDENTIAL_NONE;

    if (n == 0 || word[0].p[0] == '#')
        return ERR_OK;
    if (n != WORDS)
        return err_set(err, ERR_CONFIG, "want a name, a kind, a pool or -, and a token");
    if (kind == CREDENTIAL_NONE)
        return err_set(err, ERR_CONFIG, "the kind, its second word, is oauth or api_key");
    if (str_is(word[2], "-"))
        word[2] = (struct str){0};
    if (!run_name_ok(word[0]) || (word[2].n > 0 && !run_name_ok(word[2])))
        return err_set(err, ERR_CONFIG, "a name is 1..%d of A-Z a-z 0-9 . _ : @ / + -",
                       RUN_NAME_MAX_BYTES);
    return credentials_add(c, word[0], word[2], kind, word[3], err);
}

enum err_code credentials_parse(struct credentials *c, struct str text, struct err *err)
{
    struct str line;

    for (int number = 1; text.n > 0 && str_next(&text, '\n', &line); number++)
        if (parse_line(c, line, err) != ERR_OK)
            return err_wrap(err, "line %d", number);
    return ERR_OK;
}

enum err_code credentials_read(struct credentials *c, const char *path, struct err *err)
{
    char *text = sodium_malloc(CREDENTIALS_FILE_BYTES);
    size_t n = 0;

    if (!text)
        return err_set(err, ERR_NOMEM, "'%s'", path);
    enum err_code rc = secret_read_file(path, text, CREDENTIALS_FILE_BYTES, &n, err);
    if (rc == ERR_OK) {
        rc = credentials_parse(c, (struct str){text, n}, err);
        if (rc != ERR_OK)
            (void)err_wrap(err, "'%s'", path);
    }
    sodium_free(text); /* wipes it */
    return rc;
}

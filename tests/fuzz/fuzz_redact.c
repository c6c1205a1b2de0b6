/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: cutting overwrites exactly the bytes that belong to a form of a secret or to a
 * pattern, as a search for each by itself, in the text as it was, finds them; of a text that goes
 * on it overwrites no less; and JSON stays JSON. The input: up to three secrets and the text, one a
 * line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/secret/redact_internal.h"

enum { SECRETS = 3, SECRET_MOST = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct search {
    struct str text;
    char *out;
};

static enum err_code mark_form(void *ctx, struct str form, struct err *err)
{
    struct search *s = ctx;

    (void)err;
    for (size_t at = 0; at + form.n <= s->text.n; at++)
        if (memcmp(s->text.p + at, form.p, form.n) == 0)
            memset(s->out + at, '*', form.n);
    return ERR_OK;
}

static void mark_patterns(struct search *s)
{
    struct str rest = str_of(redact_patterns), line;
    struct redact_pattern p;
    struct err err = ERR_INIT;

    while (rest.n > 0 && str_next(&rest, '\n', &line)) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        assert(redact_pattern_parse(line, &p, &err) == ERR_OK);
        for (size_t at = 0; at < s->text.n; at++) {
            size_t run_end = 0;
            memset(s->out + at, '*', redact_pattern_match(&p, s->text, at, false, &run_end));
        }
    }
}

static bool is_json(struct str text)
{
    AUTO_JSON *tree = NULL;
    struct err err = ERR_INIT;

    return json_parse(text, 0, &tree, &err) == ERR_OK;
}

/* Of a kind that JSON has in strings only. */
static bool plain(const struct str *secrets)
{
    for (size_t i = 0; i < SECRETS; i++) {
        if (secrets[i].n >= REDACT_LEAST_BYTES && !str_starts(secrets[i], "sk"))
            return false;
        for (size_t c = 0; c < secrets[i].n; c++)
            if (strchr("\"\\", secrets[i].p[c]) || secrets[i].p[c] <= ' ' || secrets[i].p[c] > '~')
                return false;
    }
    return true;
}

static void compare(const struct redactor *r, struct str text, const struct str *secrets)
{
    char *fast = str_dup(text), *open = str_dup(text), *naive = str_dup(text);
    struct search s = {text, naive};
    struct err err = ERR_INIT;

    assert(fast && open && naive);
    size_t found = redactor_cut(r, fast, text.n, 0);
    (void)redactor_cut(r, open, text.n, REDACT_OPEN);
    for (size_t i = 0; i < SECRETS; i++)
        assert(redact_forms(secrets[i], mark_form, &s, &err) == ERR_OK);
    mark_patterns(&s);
    assert(memcmp(fast, naive, text.n) == 0);
    for (size_t i = 0; i < text.n; i++)
        assert(open[i] == fast[i] || open[i] == '*');
    if (found > 0 && plain(secrets) && is_json(text))
        assert(is_json((struct str){fast, text.n}));
    free(fast);
    free(open);
    free(naive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, secrets[SECRETS] = {{0}};
    struct redactor *r = NULL;
    struct err err = ERR_INIT;

    assert(redactor_new(&r, &err) == ERR_OK);
    for (size_t i = 0; i < SECRETS && str_next(&rest, '\n', &secrets[i]); i++) {
        if (secrets[i].n > SECRET_MOST)
            secrets[i].n = SECRET_MOST;
        assert(redactor_know(r, secrets[i], &err) == ERR_OK);
    }
    if (rest.p)
        compare(r, rest, secrets);
    redactor_free(r);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* --warm, read. */
#include <string.h>

#include "worker/sandbox/pool.h"
#include "common/banned.h"

static bool name_ok(struct str s)
{
    if (s.n == 0 || s.n >= POOL_TEMPLATE_TEXT)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || strchr("-_./:", s.p[i])))
            return false;
    return true;
}

static enum err_code add(struct str word, struct pool_targets *out, struct err *err)
{
    struct str rest = word, name = {0};
    int64_t n;

    if (!str_next(&rest, '=', &name) || !name_ok(name) || !str_int(rest, POOL_SIZE_MAX, &n))
        return err_set(err, ERR_USAGE, "--warm: '" STR_FMT "' is not TEMPLATE=NUMBER, 0 to %d",
                       STR_ARG(word), POOL_SIZE_MAX);
    for (int i = 0; i < out->n; i++)
        if (str_is(name, out->of[i].template))
            return err_set(err, ERR_USAGE, "--warm: template '%s' comes twice",
                           out->of[i].template);
    if (out->n == POOL_TEMPLATES_MAX)
        return err_set(err, ERR_USAGE, "--warm: more than %d templates", POOL_TEMPLATES_MAX);
    memcpy(out->of[out->n].template, name.p, name.n);
    out->of[out->n].template[name.n] = '\0';
    out->of[out->n++].n = n;
    return ERR_OK;
}

enum err_code pool_targets_parse(const struct opt_list *list, struct pool_targets *out,
                                 struct err *err)
{
    enum err_code rc = ERR_OK;

    *out = (struct pool_targets){0};
    for (size_t i = 0; i < list->n; i++) {
        struct str rest = str_of(list->items[i]), word;
        while (rc == ERR_OK && str_next(&rest, ',', &word))
            rc = add(word, out, err);
    }
    return rc;
}

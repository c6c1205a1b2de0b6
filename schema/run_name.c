/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of single values, for the doors as well as for the codec. */
#include "schema/run_request.h"

#include <string.h>

#include "common/banned.h"

static const bool in_name[256] = {
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['.'] = true, ['_'] = true,
    [':'] = true,         ['@'] = true,         ['/'] = true,         ['+'] = true, ['-'] = true,
};

bool run_name_ok(struct str s)
{
    if (s.n == 0 || s.n > RUN_NAME_MAX_BYTES || s.p[0] == '-' || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!in_name[(unsigned char)s.p[i]])
            return false;
    return true;
}

bool run_traceparent_ok(struct str s)
{
    static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    if (s.n != sizeof(shape) - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool hex = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');

        if (shape[i] == 'x' ? !hex : s.p[i] != shape[i])
            return false;
    }
    return true;
}

enum err_code run_prompt_check(struct str prompt, struct err *err)
{
    size_t bad_at;
    const char *nul;

    if (str_trim(prompt).n == 0)
        return err_set(err, ERR_INVALID, "the prompt is empty");
    if (prompt.n > RUN_PROMPT_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "the prompt has %zu bytes, at most %d are allowed",
                       prompt.n, RUN_PROMPT_MAX_BYTES);
    if (!str_utf8(prompt, &bad_at))
        return err_set(err, ERR_INVALID, "the prompt is not UTF-8 at byte %zu", bad_at);
    nul = memchr(prompt.p, '\0', prompt.n);
    if (nul)
        return err_set(err, ERR_INVALID, "the prompt has a NUL at byte %zu",
                       (size_t)(nul - prompt.p));
    return ERR_OK;
}

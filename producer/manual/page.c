/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/manual/page.h"

#include <string.h>

#include "common/banned.h"

static bool is_verbatim(struct str line)
{
    return line.n > 2 && line.p[0] == ' ' && line.p[1] == ' ';
}

bool page_next(struct str *rest, struct str *block, bool *verbatim)
{
    struct str line, after;

    while (rest->n > 0 && rest->p[0] == '\n')
        *rest = (struct str){rest->p + 1, rest->n - 1};
    if (rest->n == 0)
        return false;
    *verbatim = is_verbatim(*rest);
    block->p = rest->p;
    block->n = 0;
    for (after = *rest; after.n > 0 && str_next(&after, '\n', &line); *rest = after) {
        if ((line.n == 0 && !*verbatim) || (line.n > 0 && is_verbatim(line) != *verbatim))
            break;
        if (line.n > 0) /* an empty line within verbatim ones belongs to them */
            block->n = (size_t)(line.p + line.n - block->p);
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/no_body.h"

#include <string.h>

#include "common/banned.h"

bool no_body_take(struct no_body *b, struct str piece)
{
    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] && strchr(" \t\r\n", piece.p[i]))
            continue;
        if (b->at == NO_BODY_BEFORE && piece.p[i] == '{')
            b->at = NO_BODY_INSIDE;
        else if (b->at == NO_BODY_INSIDE && piece.p[i] == '}')
            b->at = NO_BODY_BEHIND;
        else
            return false;
    }
    return true;
}

bool no_body_is_whole(const struct no_body *b)
{
    return b->at != NO_BODY_INSIDE;
}

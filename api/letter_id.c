/* SPDX-License-Identifier: Apache-2.0 */
#include "api/letter_id.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Takes the last field, behind a '-', off *rest: a number as it is written without leading 0. */
static bool take_number(struct str *rest, int64_t max, char out[LETTER_NUMBER_TEXT])
{
    const char *dash = memrchr(rest->p, '-', rest->n);
    struct str digits;
    int64_t n;

    if (!dash)
        return false;
    digits = (struct str){dash + 1, rest->n - (size_t)(dash + 1 - rest->p)};
    if (!str_int(digits, max, &n) || (digits.p[0] == '0' && digits.n > 1))
        return false;
    (void)snprintf(out, LETTER_NUMBER_TEXT, STR_FMT, STR_ARG(digits));
    rest->n = (size_t)(dash - rest->p);
    return true;
}

bool letter_id_parse(struct str text, struct letter_id *out)
{
    if (text.n == 0 || text.n > LETTER_ID_MAX || !take_number(&text, INT64_MAX, out->offset) ||
        !take_number(&text, INT32_MAX, out->partition) || text.n == 0 ||
        text.n >= sizeof(out->topic) || memchr(text.p, '\0', text.n))
        return false;
    (void)snprintf(out->topic, sizeof(out->topic), STR_FMT, STR_ARG(text));
    return true;
}

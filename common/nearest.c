/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nearest.h"

#include <string.h>

#include "common/banned.h"

/* Edit distance; both are cut to NEAREST_MAX_BYTES. */
static size_t distance(struct str a, const char *b)
{
    size_t row[NEAREST_MAX_BYTES + 1], m = strnlen(b, NEAREST_MAX_BYTES);

    if (a.n > NEAREST_MAX_BYTES)
        a.n = NEAREST_MAX_BYTES;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a.p[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = row[j] + 1 < best ? row[j] + 1 : best;
        }
    }
    return row[m];
}

/* What is farther away than a third of the word is no typing error. */
struct nearest nearest_of(struct str typed)
{
    return (struct nearest){.typed = typed, .distance = typed.n / 3 > 2 ? typed.n / 3 + 1 : 3};
}

void nearest_try(struct nearest *n, const char *name)
{
    size_t d = distance(n->typed, name);

    if (d >= n->distance || d >= n->typed.n) /* nothing of it is the same: no likeness */
        return;
    n->distance = d;
    memcpy(n->name, name, strnlen(name, sizeof n->name - 1) + 1);
    n->name[sizeof n->name - 1] = '\0';
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a list of runs is filtered by that people put on them themselves: `metadata=team=infra`,
 * `tag=nightly`, any of them together. Pure; what is taken is borrowed of the query. */
#ifndef SANDFLEET_API_READS_LABELS_H
#define SANDFLEET_API_READS_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

enum { /* in characters; fleet.labels() has the same */
       LABELS_MAX = 8,
       LABEL_KEY_MAX = 128,
       LABEL_VALUE_MAX = 256
};

struct label {
    struct str key, value; /* value.p NULL: key is a tag */
};

struct labels { /* {0} is none; in order, each there once */
    struct label v[LABELS_MAX];
    size_t n;
};

/* "team=infra"; what stands before the first "=" is the key. NULL: taken; else what is wrong with
 * it: "is key=value, …". The same once more counts once. */
const char *labels_add(struct labels *l, struct str text);
/* A tag, which is a name. */
const char *labels_add_tag(struct labels *l, struct str tag);

/* Appends them as a literal of Postgres' text[], as fleet.run_labels has a run's. The same
 * ones are the same text, in whatever order they came. */
void labels_write(const struct labels *l, const char *tenant, struct buf *out);

#endif

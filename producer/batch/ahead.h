/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at many lines at once, half of them in a second thread where there is a second processor:
 * checking is the part of submitting during which nothing else can be done. */
#ifndef SANDFLEET_PRODUCER_BATCH_AHEAD_H
#define SANDFLEET_PRODUCER_BATCH_AHEAD_H

#include "producer/batch/maker.h"

struct ahead; /* opaque */

struct ahead *ahead_new(const struct maker *m); /* yours; NULL: no memory */
void ahead_free(struct ahead *a);

/* Fills out[i] for lines[i]. The maker must not be changed meanwhile. */
void ahead_look(struct ahead *a, const struct str *lines, size_t n, struct glance *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/batches/{}/items: a body of any length, a line at a time. */
#ifndef SANDFLEET_API_ITEMS_H
#define SANDFLEET_API_ITEMS_H

#include <stdint.h>

struct call;

#define ITEMS_HELD     ((size_t)5 << 20) /* bytes that one body may take in memory, at most */
#define ITEMS_BODY_MAX ((size_t)1 << 40) /* bytes of a body; a line has a ceiling of its own */

void items_begin(struct call *c); /* route.begin */
void items_whole(struct call *c); /* route.handler */

#endif

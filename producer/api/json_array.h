/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of a JSON array as they stand in its text, for passing them on untouched. The text
 * was found to be JSON before (json_scan, json_parse). Pure. */
#ifndef SANDFLEET_PRODUCER_API_JSON_ARRAY_H
#define SANDFLEET_PRODUCER_API_JSON_ARRAY_H

#include <stdbool.h>

#include "common/buf.h"

/* Begin with *rest = the whole array; each call takes an element. False: there are no more, or it
 * is no array. */
bool json_array_next(struct str *rest, struct str *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Steps through the members of an object or the elements of an array inside a text
 * that json_scan has accepted, so that nothing is checked twice. Pure; no allocation.
 * On other text it stays inside the view and ends early. */
#ifndef SANDFLEET_WORKER_JSON_WALK_H
#define SANDFLEET_WORKER_JSON_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"

struct json_walk {
    struct str rest;
};

/* Of an object or array with its brackets; of anything else there is nothing to walk. */
struct json_walk json_walk(struct str container);
bool json_walk_member(struct json_walk *w, struct json_member *out);
bool json_walk_element(struct json_walk *w, struct str *out);

/* The member `key` of an object; an empty view when there is none. */
struct str json_walk_get(struct str object, const char *key);

/* --- scalars --------------------------------------------------------------- */
bool json_is_true(struct str value);
int64_t json_to_count(struct str value); /* whole, 0..2^53; 0 when it is anything else */
double json_to_amount(struct str value); /* 0..1e9; 0 when it is anything else */
struct str json_to_word(struct str value, size_t max); /* view into a string without escapes,
                                                        * of at most max bytes; else empty */
/* The decoded string, cut to fit; "" when it is none. */
void json_to_text(struct str value, char *out, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs in canonical lower-case text (RFC 9562). Any thread. */
#ifndef SANDFLEET_COMMON_UUID_H
#define SANDFLEET_COMMON_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define UUID_TEXT 37 /* with its NUL */

void uuid_v7(int64_t wall_ms, char out[UUID_TEXT]); /* rising within one process */
/* UUIDv8 from keyed BLAKE2b of the parts, each with its length: same parts, same id. */
void uuid_v8(const struct str *parts, size_t n, char out[UUID_TEXT]);
bool uuid_valid(struct str s); /* canonical lower-case text, any version */
bool uuid_bytes(struct str s, uint8_t out[16]);
void uuid_text(const uint8_t in[16], char out[UUID_TEXT]);
bool uuid_v7_ms(struct str s, int64_t *wall_ms); /* false: not version 7 */

#endif

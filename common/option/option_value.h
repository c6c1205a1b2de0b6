/* SPDX-License-Identifier: Apache-2.0 */
/* One setting's value: from text, and back to the text one would type.
 * Inside of option.h; the rows come from there. */
#ifndef SANDFLEET_COMMON_OPTION_OPTION_VALUE_H
#define SANDFLEET_COMMON_OPTION_OPTION_VALUE_H

#include "common/option/option.h"

struct secret;

enum { OPTION_ENV_MAX = OPTION_NAME_ROOM, OPTION_FLAG_MAX = 64 };

/* The row's variable: its own, or SANDFLEET_<NAME>. Returns out. */
const char *option_env(const struct opt *row, char out[OPTION_ENV_MAX]);

/* What is typed for the row behind "--": a secret has no flag but its file's. Returns out, or the
 * row's name. */
const char *option_flag(const struct opt *row, char out[OPTION_FLAG_MAX]);

/* Reads text into the row's field; what stood there is freed, a list gets one item more.
 * `from` names the source in messages: "--timeout", "SANDFLEET_TIMEOUT". ERR_USAGE, ERR_NOMEM. */
enum err_code option_set(const struct opt *row, void *settings, const char *from, const char *text,
                         struct err *err) MUST_USE;

/* Frees what the field holds and empties it. */
void option_clear(const struct opt *row, void *settings);
bool option_is_empty(const struct opt *row, const void *settings); /* numbers never are */

void option_write(struct buf *out, enum opt_type type, int64_t v); /* "1h30m" "64KiB" "7" */

/* Appends the field as one would type it; of a list, all items with a comma between. No secret. */
void option_put(const struct opt *row, const void *settings, struct buf *out);

/* The row's field, by its type. */
void *option_at(const struct opt *row, void *settings);
const void *option_get(const struct opt *row, const void *settings);

#endif

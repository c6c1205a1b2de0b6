/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986). Pure. */
#ifndef SANDFLEET_COMMON_PERCENT_H
#define SANDFLEET_COMMON_PERCENT_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

/* Appends; '+' is a space when `plus`. ERR_INVALID: a bad escape, or one of a NUL. */
enum err_code percent_decode(struct str s, bool plus, struct buf *out, struct err *err) MUST_USE;

/* Appends; all but letters, digits and -._~ are escaped. */
void percent_encode(struct str s, struct buf *out);

#endif

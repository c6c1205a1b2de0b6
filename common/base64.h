/* SPDX-License-Identifier: Apache-2.0 */
/* Standard base64 (RFC 4648 section 4, padded) in both directions. Pure. */
#ifndef SANDFLEET_COMMON_BASE64_H
#define SANDFLEET_COMMON_BASE64_H

#include "common/buf.h"

void base64_add(struct buf *out, struct str bytes);
/* Appends the decoded bytes; padding may be missing. ERR_INVALID, ERR_TOO_BIG. */
enum err_code base64_decode(struct str text, struct buf *out, struct err *err) MUST_USE;

#endif

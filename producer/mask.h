/* SPDX-License-Identifier: Apache-2.0 */
/* Which settings hold a secret within their text, and how they are shown. Pure. */
#ifndef SANDFLEET_PRODUCER_MASK_H
#define SANDFLEET_PRODUCER_MASK_H

#include <stdbool.h>

#include "common/buf.h"

/* A librdkafka setting whose value is a secret: "sasl.password". */
bool mask_is_secret_prop(struct str name);

/* "sasl.password=hush" as "sasl.password=***". */
void mask_prop(struct buf *out, const char *prop);

/* A connection string as "host=… password=***"; one that libpq cannot read as "***". */
void mask_conninfo(struct buf *out, const char *conninfo);
bool mask_conninfo_has_secret(const char *conninfo);

#endif

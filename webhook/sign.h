/* SPDX-License-Identifier: Apache-2.0 */
/* Standard Webhooks' signatures: over "ID.SECONDS.BODY", by each of an endpoint's keys, so that a
 * receiver that knows any one of them can check. Pure. */
#ifndef SANDFLEET_WEBHOOK_SIGN_H
#define SANDFLEET_WEBHOOK_SIGN_H

#include "schema/webhook.h"

struct sign_message { /* borrowed */
    const char *id;
    int64_t at_s; /* Unix time of this very attempt: receivers refuse what is minutes old */
    struct str body;
};

/* Appends "v1,<base64>" or "v1a,<base64>", behind a blank unless out is empty. ERR_INVALID: no key
 * of that scheme. ERR_TOO_BIG, ERR_NOMEM. */
enum err_code sign_add(const struct sign_message *m, enum webhook_scheme scheme, struct str key,
                       struct buf *out, struct err *err) MUST_USE;

#endif

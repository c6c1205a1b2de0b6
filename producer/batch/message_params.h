/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the Message Batches format: what `params` says to a model, as members of a run request
 * for an agent. What has no meaning for an agent is refused by name. Pure. */
#ifndef SANDFLEET_PRODUCER_BATCH_MESSAGE_PARAMS_H
#define SANDFLEET_PRODUCER_BATCH_MESSAGE_PARAMS_H

#include <stdbool.h>

#include "common/buf.h"

enum { POINTER_MAX_BYTES = 160 };

/* Appends `"prompt":…,"model":…` to out. params is the member's text as json_scan accepted it.
 * *max_tokens: there was one, which no agent heeds. Where it fails, pointer says on what:
 * "/params/messages/0/role". */
enum err_code message_params(struct str params, struct buf *out, bool *max_tokens,
                             char pointer[POINTER_MAX_BYTES], struct err *err) MUST_USE;

/* Where the value of a run request's field stood: "prompt" gives "/params/messages/0/content".
 * NULL: it does not come from params. */
const char *message_params_pointer(struct str field);

#endif

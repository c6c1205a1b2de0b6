/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user gave as flags to a run request. Pure but for the clock
 * and the random part of new ids. */
#ifndef SANDFLEET_PRODUCER_REQUEST_BUILD_H
#define SANDFLEET_PRODUCER_REQUEST_BUILD_H

#include "producer/client.h"
#include "schema/run_request.h"

struct request_defaults {
    const struct client *flags;
    const char *batch_id; /* NULL: no batch */
};

/* Appends the flags' members, each with a comma before it, but those that are given already. */
enum err_code request_put_flags(struct buf *b, const struct request_defaults *d,
                                const struct json_member *members, size_t n,
                                struct err *err) MUST_USE;

/* From flags and a prompt. `out` is yours: run_request_release. */
enum err_code request_from_flags(const struct request_defaults *d, struct str prompt,
                                 struct run_request *out, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user gave (flags, or a line of a file) to a run request. Pure but for the clock
 * and the random part of new ids. */
#ifndef SANDFLEET_PRODUCER_REQUEST_BUILD_H
#define SANDFLEET_PRODUCER_REQUEST_BUILD_H

#include "producer/client.h"
#include "schema/run_request.h"

struct request_defaults { /* what the flags say for every line */
    const struct client *flags;
    const char *batch_id; /* NULL: no batch */
};

/* From flags and a prompt. `out` is yours: run_request_release. */
enum err_code request_from_flags(const struct request_defaults *d, struct str prompt,
                                 struct run_request *out, struct err *err) MUST_USE;

/* From one line of a batch file. With a batch and a custom_id the run id derives from both, so
 * that submitting the file again makes the same ids. */
enum err_code request_from_line(const struct request_defaults *d, struct str line,
                                struct run_request *out, struct err *err) MUST_USE;

#endif

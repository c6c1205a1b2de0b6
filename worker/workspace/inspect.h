/* SPDX-License-Identifier: Apache-2.0 */
/* A tar.gz looked at as its pieces pass: unpacked into nothing, its members checked (tar_check.h),
 * its sum taken. No I/O. */
#ifndef SANDFLEET_WORKER_INSPECT_H
#define SANDFLEET_WORKER_INSPECT_H

#include <sodium.h>

#include "common/gzip.h"
#include "worker/workspace/tar_check.h"

struct inspect {
    struct gzip *gzip;
    struct tar_check *tar;
    crypto_hash_sha256_state sum;
    int64_t unpacked; /* bytes so far: what it cost to look */
};

enum err_code inspect_init(struct inspect *in, int64_t strip, struct err *err) MUST_USE;
void inspect_release(struct inspect *in);
/* ERR_INVALID: refused, by name. After an error only inspect_release(). */
enum err_code inspect_feed(struct inspect *in, struct str piece, struct err *err) MUST_USE;
/* Nothing follows. sha256: as in struct run_archive. */
enum err_code inspect_end(struct inspect *in, const char *sha256, struct err *err) MUST_USE;

#endif

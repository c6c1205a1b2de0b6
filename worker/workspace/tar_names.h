/* SPDX-License-Identifier: Apache-2.0 */
/* What stands where in a tree that is being described: a set of hashes under a key of its own, so
 * that nobody can aim at a collision. */
#ifndef SANDFLEET_WORKER_TAR_NAMES_H
#define SANDFLEET_WORKER_TAR_NAMES_H

#include <stdint.h>

#include "common/buf.h"

enum tar_kind { TAR_NOTHING, TAR_FOLDER, TAR_FILE, TAR_LINK };

struct tar_names {
    uint64_t *slots; /* a hash, its last two bits the kind; 0: free */
    size_t room, n;
    unsigned char key[16];
};

void tar_names_init(struct tar_names *t);
void tar_names_release(struct tar_names *t);
enum tar_kind tar_names_find(const struct tar_names *t, struct str path);
/* Of a path that is not there. ERR_TOO_BIG: TAR_NAMES_MAX are. ERR_NOMEM. */
enum err_code tar_names_add(struct tar_names *t, struct str path, enum tar_kind kind);

#endif

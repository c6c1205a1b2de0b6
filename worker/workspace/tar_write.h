/* SPDX-License-Identifier: Apache-2.0 */
/* A tar of a few files, in memory. Pure. */
#ifndef SANDFLEET_WORKER_TAR_WRITE_H
#define SANDFLEET_WORKER_TAR_WRITE_H

#include "common/buf.h"

void tar_put(struct buf *tar, struct str path, unsigned mode, struct str bytes);
void tar_put_end(struct buf *tar);

#endif

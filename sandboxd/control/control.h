/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control plane share. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_CONTROL_H
#define SANDFLEET_SANDBOXD_CONTROL_CONTROL_H

#include "sandboxd/control/life.h"
#include "sandboxd/control/snapshots.h"
#include "sandboxd/server.h"

/* "Sandbox … doesn't exist or you don't have access to it". */
void control_not_found(struct request *r, struct str id);

void snapshot_json(const struct snapshot *one, struct buf *out); /* {"snapshotID":…,"names":…} */

/* The sandbox of the path, running or about to be; NULL: answered 404, also when it is paused. */
struct sandbox *request_running(struct request *r);

/* A whole number in a query. False: it is answered 400. */
bool query_int(struct request *r, const char *name, int64_t least, int64_t most, int64_t *inout);

/* Calls again(r, …) when the sandbox's state has settled. False: answered 500. `again` gets sb NULL
 * when the sandbox has ended, and errnum 0 or why the change did not succeed. */
typedef void (*settled_fn)(struct request *r, struct sandbox *sb, int errnum);
bool request_await(struct request *r, struct sandbox *sb, settled_fn again);

#endif

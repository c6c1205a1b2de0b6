/* SPDX-License-Identifier: Apache-2.0 */
/* Where the service and the daemons of its sandboxes are. Pure. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_ROUTE_H
#define SANDFLEET_WORKER_E2B_SANDBOX_ROUTE_H

#include <stdbool.h>

#include "common/buf.h"

/* Appends the control plane's address, without a slash at its end: `api_url`, or for NULL
 * https://api.{domain}. */
void sandbox_route_api(struct buf *out, const char *api_url, const char *domain);

/* Appends the address of a sandbox's daemon; true when it is shared, so that the
 * E2b-Sandbox-* headers must say whose. `sandbox_url` when there is one; else
 * https://sandbox.{domain} where the service has that, or https://49983-{id}.{domain}. */
bool sandbox_route_envd(struct buf *out, const char *sandbox_url, const char *domain,
                        const char *id);

#endif

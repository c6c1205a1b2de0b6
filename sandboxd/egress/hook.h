/* SPDX-License-Identifier: Apache-2.0 */
/* Gives each sandbox without a network its door. */
#ifndef SANDFLEET_SANDBOXD_EGRESS_HOOK_H
#define SANDFLEET_SANDBOXD_EGRESS_HOOK_H

#include "sandboxd/egress/egress.h"
#include "sandboxd/sandbox/sandbox.h"

/* Sets f's hooks; g outlives its sandboxes. */
void egress_hook(struct fleet *f, struct egress *g);

#endif

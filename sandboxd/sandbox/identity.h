/* SPDX-License-Identifier: Apache-2.0 */
/* Whose name sandboxes act in. A server that runs as root gives every command
 * the run-as user's, and takes the same one on for each file operation that it
 * does on a sandbox's behalf: a link planted by a sandbox then leads nowhere
 * that the sandbox could not go itself. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_IDENTITY_H
#define SANDFLEET_SANDBOXD_SANDBOX_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

enum { IDENTITY_GROUPS = 64 };

struct identity {
    bool drop; /* we are root: commands change to uid, gid, groups */
    uid_t uid;
    gid_t gid;
    gid_t groups[IDENTITY_GROUPS];
    int n_groups;
};

/* user NULL: our own. ERR_CONFIG with the next step: root without a user, an
 * unknown user, root itself, or a user although we are not root. */
enum err_code identity_find(const char *user, struct identity *out, struct err *err) MUST_USE;

/* Between the two, files are reached as the sandbox's user. No nesting. */
void identity_enter(const struct identity *id);
void identity_leave(const struct identity *id);

/* For the child before exec: false when the change failed. Async-signal-safe. */
bool identity_drop(const struct identity *id);

#endif

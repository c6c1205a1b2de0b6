/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of files and of processes: taking them away whole. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_TREE_H
#define SANDFLEET_SANDBOXD_SANDBOX_TREE_H

/* rm -rf; follows no link, crosses no mount. 0, or -1 with errno; a path that
 * is not there is a success. */
int tree_remove(const char *path);

/* Sends SIGKILL to every child of ours but those in keep[0..n). Returns how many. */
int tree_kill_children(const int *keep, int n);

#endif

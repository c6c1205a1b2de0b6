/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of files and of processes: taking them away whole. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_TREE_H
#define SANDFLEET_SANDBOXD_SANDBOX_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* rm -rf; follows no link, crosses no mount. 0, or -1 with errno; a path that
 * is not there is a success. */
int tree_remove(const char *path);
/* The same for all that is in it, but not for itself. "" is not there. */
int tree_empty(const char *path);

/* Sends SIGKILL to every child of ours but those in keep[0..n). Returns how many. */
int tree_kill_children(const int *keep, int n);

/* Stops all descendants of ours, those that they still make included. False: some could
 * not be stopped within a second. */
bool tree_stop(void);
void tree_continue(void);

/* Of a process and its descendants: what they hold now, what they and their reaped
 * children worked. Zeros when there is none. */
void tree_usage(pid_t root, int64_t *memory_bytes, int64_t *cpu_ns);

/* How many processes and threads a user has, as RLIMIT_NPROC counts them. */
int64_t tree_tasks_of(uid_t uid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Limits for a sandbox as a whole, where the machine lets us set them: cgroup v2
 * when a part of its tree was given to us, or v1 as root. Files of the kernel's
 * only, which do not block. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_CGROUP_H
#define SANDFLEET_SANDBOXD_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };
enum { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_TREES };
enum { CGROUP_PATH_ROOM = 512 };

struct cgroups { /* v2 has one tree, which stands in base[CGROUP_MEMORY] */
    enum cgroup_kind kind;
    char base[CGROUP_TREES][CGROUP_PATH_ROOM]; /* "": none */
};

struct cgroup_limits {
    int64_t memory_bytes, pids; /* 0: none */
};

struct cgroup_usage {
    int64_t memory_bytes, cpu_ns;
};

const char *cgroup_kind_name(enum cgroup_kind kind); /* "cgroup-v2" */

/* This process's path in the tree of `controller` ("" is v2's) by the text of
 * /proc/self/cgroup. Empty: none. Pure. */
struct str cgroup_path(struct str text, const char *controller);

/* Looks what there is, makes a group for this server in it, and takes away what killed ones
 * left. Never an error: CGROUP_NONE it is then. */
void cgroups_find(struct cgroups *out);
void cgroups_release(struct cgroups *c); /* takes the server's group away again when it is empty */

/* fds[0..*n): where a process writes "0" to be in it; yours. */
enum err_code cgroup_make(const struct cgroups *c, const char *id, const struct cgroup_limits *l,
                          int fds[CGROUP_TREES], size_t *n, struct err *err) MUST_USE;
void cgroup_remove(const struct cgroups *c, const char *id); /* it must be empty */
bool cgroup_usage(const struct cgroups *c, const char *id, struct cgroup_usage *out);

#endif

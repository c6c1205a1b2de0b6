/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox has and uses. */
#include "sandboxd/sandbox/sandbox.h"

#include <unistd.h>

#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

int sandbox_cpu_count(const struct sandbox *sb)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    (void)sb;
    return n > 0 ? (int)n : 1;
}

int64_t sandbox_memory_bytes(const struct sandbox *sb)
{
    const struct isolation *iso = sb->fleet->isolation;
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t limit = (iso->mechanisms & MECH_LIMITS) ? iso->want.memory_bytes : 0;

    return limit > 0 && limit < machine ? limit : machine;
}

void sandbox_usage(const struct sandbox *sb, struct sandbox_usage *out)
{
    struct cgroup_usage u = {0};

    if (!cgroup_usage(&sb->fleet->isolation->cgroups, sb->id, &u) && sb->init_pid != 0)
        tree_usage(sb->init_pid, &u.memory_bytes, &u.cpu_ns);
    *out = (struct sandbox_usage){.memory_bytes = u.memory_bytes, .cpu_ns = u.cpu_ns};
}

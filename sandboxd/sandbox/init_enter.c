/* SPDX-License-Identifier: Apache-2.0 */
/* What init does to itself, and so to all that it starts. */
#include "sandboxd/sandbox/init_internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "common/attrs.h"

#include "common/banned.h"

static bool complain(const char *what)
{
    (void)dprintf(STDERR_FILENO, "sandfleet-init: %s: %s\n", what, strerror(errno));
    return false;
}

/* Of this machine's files: programs and what they need to run, and its own. */
static bool fence(const struct init_setup *s)
{
    const struct landlock_path paths[] = {
        {"/usr", LANDLOCK_READ},         {"/bin", LANDLOCK_READ},
        {"/sbin", LANDLOCK_READ},        {"/lib", LANDLOCK_READ},
        {"/lib32", LANDLOCK_READ},       {"/lib64", LANDLOCK_READ},
        {"/libx32", LANDLOCK_READ},      {"/etc", LANDLOCK_READ},
        {"/opt", LANDLOCK_READ},         {"/proc", LANDLOCK_READ},
        {"/sys", LANDLOCK_READ},         {"/run/systemd/resolve", LANDLOCK_READ},
        {"/dev", LANDLOCK_READ},         {"/dev/null", LANDLOCK_WRITE},
        {"/dev/zero", LANDLOCK_WRITE},   {"/dev/full", LANDLOCK_WRITE},
        {"/dev/random", LANDLOCK_WRITE}, {"/dev/urandom", LANDLOCK_WRITE},
        {"/dev/tty", LANDLOCK_WRITE},    {"/dev/ptmx", LANDLOCK_WRITE},
        {"/dev/pts", LANDLOCK_WRITE},    {s->template, LANDLOCK_READ},
        {s->home, LANDLOCK_WRITE},       {s->temp, LANDLOCK_WRITE},
    };
    const struct landlock_rules r = {.paths = paths,
                                     .n_paths = (s->traits & INIT_FENCED) ? COUNTOF(paths) : 0,
                                     .ports = s->ports,
                                     .n_ports = s->n_ports};

    return landlock_enter(&r);
}

static bool filter_calls(const struct init_setup *s, const void *filter)
{
    struct sock_fprog program = {
        .len = (unsigned short)(s->filter_bytes / sizeof(struct sock_filter))};

    memcpy(&program.filter, &filter, sizeof(filter)); /* the kernel does not write there */
    return s->filter_bytes == 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool init_enter(const struct init_setup *s, const void *filter)
{
    const struct rlimit no_core = {0, 0};
    bool alone = (s->traits & INIT_ALONE) != 0;

    if (!alone && (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0))
        return complain("cannot become a first process");
    /* What it starts and shares its user with shall not look into its memory. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &no_core) != 0)
        return complain("cannot give up privileges");
    if ((s->traits & (INIT_FENCED | INIT_SCOPED)) && !fence(s))
        return complain("cannot use Landlock");
    if (!filter_calls(s, filter))
        return complain("cannot filter system calls");
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How sandboxes are kept apart: four levels, each a fixed set of mechanisms. The
 * machine has all that a level asks for, or the server does not start: nothing
 * is left out in silence. None of them is a virtual machine. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_ISOLATION_H
#define SANDFLEET_SANDBOXD_SANDBOX_ISOLATION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "sandboxd/sandbox/cgroup.h"
#include "sandboxd/sandbox/identity.h"
#include "sandboxd/sandbox/landlock.h"

enum isolation_level {
    ISOLATION_NONE,   /* this machine, in the run-as user's name */
    ISOLATION_WEAK,   /* its files fenced off, and limits */
    ISOLATION_MEDIUM, /* a root, users and processes of its own; this machine's network */
    ISOLATION_STRONG, /* and a network of its own, with nothing in it but our proxy */
    ISOLATION_LEVELS
};

enum mechanism {
    MECH_NAMESPACES =
        1 << 0,            /* user, pid, mount, ipc, uts, cgroup; minimal root; no capabilities */
    MECH_NETWORK = 1 << 1, /* a network namespace */
    MECH_SECCOMP = 1 << 2,
    MECH_FENCE = 1 << 3, /* Landlock on files */
    MECH_LIMITS = 1 << 4 /* memory, processes, file size */
};

struct isolation_want {
    enum isolation_level level;
    int64_t memory_bytes, pids, file_bytes; /* of one sandbox; of one file */
    uint16_t ports[LANDLOCK_PORTS_MAX];     /* TCP ports it may connect to */
    uint32_t n_ports;                       /* 0: all */
};

struct isolation {
    struct isolation_want want;
    uint32_t mechanisms;
    int landlock; /* version */
    int program;  /* sandfleet-init, open */
    char bwrap[PATH_MAX];
    struct buf bwrap_args; /* those that all sandboxes share */
    struct buf filter;     /* of system calls */
    struct cgroups cgroups;
    char text[512];    /* the mechanisms, for people */
    char warning[512]; /* what is not kept apart; "": nothing to say */
};

bool isolation_parse(const char *name, enum isolation_level *out);
const char *isolation_name(enum isolation_level level);
uint32_t isolation_mechanisms(enum isolation_level level);

/* Looks what the machine can do, and tries it. May block: at start only. `data` is
 * the server's folder, absolute. ERR_CONFIG with the reason and the next step. */
enum err_code isolation_prepare(const struct isolation_want *want, const struct identity *id,
                                const char *data, struct isolation *out, struct err *err) MUST_USE;
void isolation_release(struct isolation *iso);

/* Whether a sandbox has a root of its own: its paths are then not this machine's. */
bool isolation_own_root(const struct isolation *iso);

#endif

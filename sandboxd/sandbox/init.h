/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of a sandbox: starts commands, works on files in the
 * sandbox's name, reaps whatever is orphaned, and when told to, or when the
 * server is gone, kills every descendant until none is left.
 *
 * It is a program of its own (sandfleet-init): nothing of the server's memory is
 * in it. In a pid namespace it is the first process, whose end ends all others.
 * Without one it must not be killed by PR_SET_PDEATHSIG: with it gone, nobody would
 * kill what it started. The end of the server shows as the end of the socket. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_INIT_H
#define SANDFLEET_SANDBOXD_SANDBOX_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "sandboxd/sandbox/identity.h"

struct isolation;

/* Server to init: one datagram each on a SOCK_SEQPACKET pair. */
enum init_op {
    INIT_START,  /* with INIT_FDS descriptors, or with the spec alone for INIT_WITH_PTY */
    INIT_SIGNAL, /* pid, signum: only to a process that init itself started */
    INIT_KILL,   /* ends everything, then itself */
    INIT_PAUSE,  /* stops every process but init; INIT_DONE follows */
    INIT_RESUME, /* lets them go on; INIT_DONE follows */
    INIT_FILE    /* with one descriptor (file_op.h); INIT_DONE follows */
};
enum { INIT_FD_SPEC, INIT_FD_IN, INIT_FD_OUT, INIT_FD_ERR, INIT_FDS };
enum { INIT_WITH_PTY = 1 }; /* flags of INIT_START: on a terminal of cols x rows */

struct init_request {
    uint32_t op;
    uint32_t ticket; /* comes back in the report */
    int32_t pid, signum;
    uint32_t flags;
    uint16_t cols, rows;
};

/* Init to server; at most one descriptor with each. */
enum init_kind {
    INIT_STARTED, /* with the terminal's master when there is one */
    INIT_FAILED,  /* status: errno; pid: 0, or INIT_NO_CWD */
    INIT_EXITED,  /* status: as waitpid() */
    INIT_DONE     /* status: 0, maybe with a descriptor, or errno */
};
enum { INIT_NO_CWD = -1 }; /* what failed is the working directory */
struct init_report {
    uint32_t kind;
    uint32_t ticket;
    int32_t pid;
    int32_t status;
};

struct init_launch { /* borrowed until return */
    const struct isolation *isolation;
    const struct identity *identity;
    const char *id;
    const char *folder, *home, *template; /* on this machine; folder NULL: only a try */
    uint64_t max_files;                   /* RLIMIT_NOFILE of the commands */
    bool egress;                          /* <folder>/egress.sock leads to the proxy */
    bool sweep;                           /* only to take the folder away: without isolation */
    int complaints;                       /* where bubblewrap and init write why they failed */
};

/* Starts it; from the main thread only. *fd: our end, non-blocking, yours. */
enum err_code init_launch(const struct init_launch *l, pid_t *pid, int *fd,
                          struct err *err) MUST_USE;

/* Starts one of no sandbox and waits for its end. ERR_CONFIG with what it complained of. Blocks. */
enum err_code init_try(const struct isolation *iso, const struct identity *id,
                       struct err *err) MUST_USE;

/* A memfd with the command as init reads it: working directory, arguments and
 * environment ("NAME=value"), each NUL-terminated, in `strings`. */
struct init_spec {
    uint32_t argc, envc;
};
enum err_code init_spec_fd(const struct init_spec *head, struct str strings, int *fd,
                           struct err *err) MUST_USE;

#endif

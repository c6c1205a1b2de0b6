/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of a sandbox: starts commands, reaps whatever is orphaned,
 * and when told to, or when the server is gone, kills every descendant until
 * none is left and removes the sandbox's folder.
 *
 * It keeps the server's uid so that nothing in the sandbox can signal it; the
 * commands it starts change to the sandbox's user. It must not be killed by
 * PR_SET_PDEATHSIG: with it gone, nobody would kill what it started. The end of
 * the server shows as the end of the socket. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_INIT_H
#define SANDFLEET_SANDBOXD_SANDBOX_INIT_H

#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "sandboxd/sandbox/identity.h"

/* Server to init: one datagram each on a SOCK_SEQPACKET pair. */
enum init_op {
    INIT_START,  /* with INIT_FDS descriptors */
    INIT_SIGNAL, /* pid, signum: only to a process that init itself started */
    INIT_KILL    /* ends everything, then itself */
};
enum { INIT_FD_SPEC, INIT_FD_IN, INIT_FD_OUT, INIT_FD_ERR, INIT_FDS };

struct init_request {
    uint32_t op;
    uint32_t ticket; /* comes back in INIT_STARTED */
    int32_t pid, signum;
};

/* Init to server. */
enum init_kind { INIT_STARTED, INIT_FAILED, INIT_EXITED };
struct init_report {
    uint32_t kind;
    uint32_t ticket;
    int32_t pid;
    int32_t status; /* EXITED: as waitpid(); FAILED: errno */
};

struct init_conf { /* borrowed until return */
    const struct identity *identity;
    const char *folder; /* removed at the end */
    uint64_t max_files; /* RLIMIT_NOFILE of the commands */
};

/* Forks it; from the main thread only. *fd: our end, non-blocking, yours. */
enum err_code init_fork(const struct init_conf *conf, pid_t *pid, int *fd,
                        struct err *err) MUST_USE;

/* A memfd with the command as init reads it: working directory, arguments and
 * environment ("NAME=value"), each NUL-terminated, in `strings`. */
struct init_spec {
    uint32_t argc, envc;
};
enum err_code init_spec_fd(const struct init_spec *head, struct str strings, int *fd,
                           struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What runs inside the first process (init.h) only. Single-threaded. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_INIT_INTERNAL_H
#define SANDFLEET_SANDBOXD_SANDBOX_INIT_INTERNAL_H

#include <stdbool.h>

#include "sandboxd/sandbox/init.h"
#include "sandboxd/sandbox/init_setup.h"

/* Whether the sandbox's user can be in the spec's working directory: 0, or an errno. */
int command_look(const struct init_setup *s, int spec_fd);

/* Forks and executes what the spec says, with the rest as its standard streams; tty:
 * they are a terminal, which becomes its own. -1 with errno. */
pid_t command_start(const struct init_setup *s, const int fds[INIT_FDS], bool tty);

/* Limits, user and umask of whatever acts in the sandbox's name, for good. */
bool command_become(const struct init_setup *s);

/* A terminal: fds[INIT_FD_IN..ERR] become one descriptor of its peer; returns the
 * master, non-blocking. -1 with errno. */
int terminal_open(const struct init_setup *s, uint16_t cols, uint16_t rows, int fds[INIT_FDS]);

/* False with errno: the descriptor could not be sent along (too many are under way), or the server
 * is gone. Without one it only fails when nobody is there to be told. */
bool init_report_send(enum init_kind kind, uint32_t ticket, int pid, int status, int fd);

/* Makes this process what the setup says, for good: limits, Landlock, system calls.
 * False: it has told standard error why. `filter`: setup->filter_bytes. */
bool init_enter(const struct init_setup *s, const void *filter);

/* The relay from the proxy's port on loopback to its socket, in a child. -1 with errno. */
pid_t forward_start(void);

/* The program sandfleet-init: descriptors as init_setup.h says. Returns its exit status. */
int init_main(void);

#endif

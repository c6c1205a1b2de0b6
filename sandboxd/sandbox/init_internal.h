/* SPDX-License-Identifier: Apache-2.0 */
/* What runs inside the first process (init.h) only. Single-threaded. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_INIT_INTERNAL_H
#define SANDFLEET_SANDBOXD_SANDBOX_INIT_INTERNAL_H

#include <stdbool.h>

#include "sandboxd/sandbox/init.h"

enum { INIT_SOCKET = 3 };

/* Forks and executes what the spec says, with the rest as its standard streams; tty:
 * they are a terminal, which becomes its own. -1 with errno. */
pid_t command_start(const struct init_conf *conf, const int fds[INIT_FDS], bool tty);

/* A terminal: fds[INIT_FD_IN..ERR] become one descriptor of its peer; returns the
 * master, non-blocking. -1 with errno. */
int terminal_open(const struct init_conf *conf, uint16_t cols, uint16_t rows, int fds[INIT_FDS]);

void init_report_send(enum init_kind kind, uint32_t ticket, int pid, int status, int fd);

/* The forked child's life; does not return. `socket` is its end of the pair. */
void init_main(const struct init_conf *conf, int socket);

#endif

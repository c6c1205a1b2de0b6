/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram with descriptors, on a SOCK_SEQPACKET socket. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_PACKET_H
#define SANDFLEET_SANDBOXD_SANDBOX_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PACKET_FDS = 4 };

/* fds stay the caller's. False with errno; n_fds: 0..PACKET_FDS. Never raises SIGPIPE. */
bool packet_send(int fd, const void *data, size_t n, const int *fds, size_t n_fds, int flags);

/* Bytes of the datagram, 0 at the end, -1 with errno. fds[0..PACKET_FDS): those
 * that came, close-on-exec, yours; -1 where there is none. *n_fds may be NULL. */
ssize_t packet_receive(int fd, void *data, size_t n, int fds[PACKET_FDS], size_t *n_fds, int flags);

void packet_close(int fds[PACKET_FDS]); /* all that are not -1 */

#endif

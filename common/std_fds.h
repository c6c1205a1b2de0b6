/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors 0, 1 and 2: when the caller closed one, the next open() would take its number, and
 * a log line would end up in a socket. */
#ifndef SANDFLEET_COMMON_STD_FDS_H
#define SANDFLEET_COMMON_STD_FDS_H

/* First thing in main. Occupies each that is closed, so that reading finds the end of file and
 * writing still fails. */
void std_fds_hold(void);

#endif

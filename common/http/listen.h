/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket: "127.0.0.1:8080", "[::1]:8080"; port 0 is a free one
 * below the ephemeral range, where no connect loop can take it by accident. */
#ifndef SANDFLEET_COMMON_HTTP_LISTEN_H
#define SANDFLEET_COMMON_HTTP_LISTEN_H

#include "common/err.h"

enum { LISTEN_URL_ROOM = 80 };

/* *fd is yours, non-blocking, listening; url: "http://127.0.0.1:8080". flag: the option that the
 * address comes from, for messages: "--listen". */
enum err_code listen_open(const char *flag, const char *address, int *fd, char url[LISTEN_URL_ROOM],
                          struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls a sandbox's processes may make, as a program for the kernel.
 * Everything is allowed but what administers the machine, reaches into other
 * namespaces, makes new ones, or has been a way out before. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_SECCOMP_FILTER_H
#define SANDFLEET_SANDBOXD_SANDBOX_SECCOMP_FILTER_H

#include "common/buf.h"
#include "common/err.h"

enum { SECCOMP_FILTER_MAX = 64 << 10 };

/* Appends an array of struct sock_filter. ERR_CONFIG: this machine has no such thing. */
enum err_code seccomp_filter_make(struct buf *out, struct err *err) MUST_USE;

#endif

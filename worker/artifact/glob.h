/* SPDX-License-Identifier: Apache-2.0 */
/* A request's glob as an extended regular expression for find(1), which sees each path behind "./".
 * Pure. */
#ifndef SANDFLEET_WORKER_GLOB_H
#define SANDFLEET_WORKER_GLOB_H

#include "common/buf.h"

/* A star and a question mark stay within a name, two stars between slashes do not. It matches what
 * the glob names and, where that is a folder, all that is in it. */
void glob_regex(struct str glob, struct buf *out);

#endif

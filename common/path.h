/* SPDX-License-Identifier: Apache-2.0 */
/* Relative paths that stay below the folder they begin in, as strangers name them: in a request,
 * in an archive. Pure. */
#ifndef SANDFLEET_COMMON_PATH_H
#define SANDFLEET_COMMON_PATH_H

#include <stdbool.h>

#include "common/buf.h"

enum { PATH_MAX_BYTES = 1024, PATH_PART_MAX_BYTES = 255 };

/* What is wrong with it, in words that follow "it "; NULL: nothing. Names joined by single
 * slashes; none is empty, "." or ".."; no control byte, no slash in front or behind. */
const char *path_fault(struct str path);

/* Does a symbolic link that stands at `link`, a path without fault, lead to a place in the tree?
 * Steps up come first in its target and are no more than the folders it lies in; names follow, of
 * which any may be such a link. So no chain of links leads out, as long as nothing is put
 * *through* a link. */
bool path_link_stays(struct str link, struct str target);

#endif

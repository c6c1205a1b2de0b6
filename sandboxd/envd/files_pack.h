/* SPDX-License-Identifier: Apache-2.0 */
/* A file's bytes as gzip, packed while they are sent. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_PACK_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_PACK_H

#include "sandboxd/web/web.h"

/* Takes fd. NULL: no memory. */
struct MHD_Response *file_packed(struct request *r, int fd);

#endif

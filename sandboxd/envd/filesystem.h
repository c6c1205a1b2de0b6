/* SPDX-License-Identifier: Apache-2.0 */
/* Between filesystem.c and filesystem_watch.c. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILESYSTEM_H
#define SANDFLEET_SANDBOXD_ENVD_FILESYSTEM_H

#include <cjson/cJSON.h>

#include "sandboxd/envd/files_call.h"

/* The member `key` of a message, resolved; false: answered. */
bool filesystem_path(struct request *r, const struct sandbox *sb, const cJSON *body,
                     const char *key, char out[PATH_MAX_BYTES]);
/* Of p->path, and p->other when op->strings is 2. Failures are answered. */
void filesystem_ask(struct path_call *p, struct sandbox *sb, const struct file_op *op,
                    file_call_fn done);
void filesystem_fail(struct path_call *p, int errnum, const char *what); /* answers */

#endif

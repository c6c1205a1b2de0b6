/* SPDX-License-Identifier: Apache-2.0 */
/* The folder a server works in, prepared at its start; may block.
 *   sandboxes/<id>/home      one sandbox each; what an earlier server left is removed
 *   templates/<name>/bin     on the sandboxes' PATH; "claude" has `claude` in it */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_DATA_DIR_H
#define SANDFLEET_SANDBOXD_SANDBOX_DATA_DIR_H

#include "common/err.h"
#include "sandboxd/sandbox/identity.h"

/* data: absolute. claude: a program, or NULL. ERR_CONFIG with the next step when
 * the sandboxes' user cannot come through to it. */
enum err_code data_dir_prepare(const char *data, const char *claude, const struct identity *id,
                               struct err *err) MUST_USE;

#endif

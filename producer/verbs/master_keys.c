/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/verbs/master_keys.h"

#include "common/banned.h"

enum err_code master_keys_open(const char *file, const char *command, struct keyring **out,
                               struct err *err)
{
    struct keyring_source from = {.file = file, .command = command};
    enum err_code rc = keyring_open(&from, out, err);

    if (rc == ERR_OK && !*out)
        rc = err_set(err, ERR_CONFIG,
                     "there are no master keys: `openssl rand -hex 32` makes one, and "
                     "--master-key-file (SANDFLEET_MASTER_KEY_FILE) says where it is");
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The master keys, for commands that seal or open. */
#ifndef SANDFLEET_PRODUCER_VERBS_MASTER_KEYS_H
#define SANDFLEET_PRODUCER_VERBS_MASTER_KEYS_H

#include "common/secret/keyring.h"

/* As keyring_open(), but there must be some: ERR_CONFIG says how to make one. */
enum err_code master_keys_open(const char *file, const char *command, struct keyring **out,
                               struct err *err) MUST_USE;

#endif

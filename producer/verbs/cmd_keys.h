/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet keys`: who may come in by the HTTP door. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_KEYS_H
#define SANDFLEET_PRODUCER_VERBS_CMD_KEYS_H

#include "producer/client.h"

struct keys_settings {
    struct client client;
    char *label;
    struct opt_list scopes;
    int64_t life_ms;
};

int command_keys_create(struct client *c, int n, char **words);
int command_keys_list(struct client *c, int n, char **words);
int command_keys_revoke(struct client *c, int n, char **words);

#endif

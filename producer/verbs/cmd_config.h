/* SPDX-License-Identifier: Apache-2.0 */
/* What the client tells about itself: `config`, `completion`, `man`. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_CONFIG_H
#define SANDFLEET_PRODUCER_VERBS_CMD_CONFIG_H

#include "producer/client.h"

struct manual_settings {
    struct client client;
    char *folder;
};

int command_config_show(struct client *c, int n, char **words);
int command_completion(struct client *c, int n, char **words);
int command_complete(struct client *c, int n, char **words);
int command_man(struct client *c, int n, char **words);
int command_reference(struct client *c, int n, char **words);

#endif

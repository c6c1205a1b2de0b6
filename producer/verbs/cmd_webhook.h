/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet webhook …`: its settings. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_WEBHOOK_H
#define SANDFLEET_PRODUCER_VERBS_CMD_WEBHOOK_H

#include "producer/client.h"

struct webhook_settings { /* what the webhook commands have of their own */
    struct client client;
    char *url, *scheme;
    struct opt_list states;
    char *key_file, *key_command; /* of the master keys */
    int64_t overlap_ms;
    bool plain_http, failed;
};

int command_webhook_add(struct client *c, int n, char **words);
int command_webhook_list(struct client *c, int n, char **words);
int command_webhook_rotate(struct client *c, int n, char **words);
int command_webhook_enable(struct client *c, int n, char **words);
int command_webhook_disable(struct client *c, int n, char **words);
int command_webhook_rm(struct client *c, int n, char **words);
int command_webhook_deliveries(struct client *c, int n, char **words);
int command_webhook_redeliver(struct client *c, int n, char **words);

#endif

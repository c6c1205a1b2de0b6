/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet sessions|sandbox|dlq|workers|stats` through the API. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_FLEET_H
#define SANDFLEET_PRODUCER_VERBS_CMD_FLEET_H

#include "producer/client.h"

struct fleet_client {
    struct client c;
    char *states, *reason;
    bool all, fleet;
    int64_t count;
};

int command_sessions_list(struct client *c, int n, char **words);
int command_sessions_get(struct client *c, int n, char **words);
int command_sessions_end(struct client *c, int n, char **words);
int command_sandbox_list(struct client *c, int n, char **words);
int command_sandbox_create(struct client *c, int n, char **words);
int command_sandbox_status(struct client *c, int n, char **words);
int command_sandbox_logs(struct client *c, int n, char **words);
int command_sandbox_cost(struct client *c, int n, char **words);
int command_sandbox_terminate(struct client *c, int n, char **words);
int command_dlq_list(struct client *c, int n, char **words);
int command_dlq_get(struct client *c, int n, char **words);
int command_dlq_redrive(struct client *c, int n, char **words);
int command_dlq_purge(struct client *c, int n, char **words);
int command_workers(struct client *c, int n, char **words);
int command_stats(struct client *c, int n, char **words);

#endif

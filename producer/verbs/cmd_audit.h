/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet audit`: who did what. */
#ifndef SANDFLEET_PRODUCER_CMD_AUDIT_H
#define SANDFLEET_PRODUCER_CMD_AUDIT_H

#include "producer/client.h"
#include "schema/audit.h"

struct audit_settings {
    struct client client;
    char *tenant, *actor, *action, *object, *outcome;
    int64_t since_ms, limit;
};

int command_audit_list(struct client *c, int n, char **words);

#endif

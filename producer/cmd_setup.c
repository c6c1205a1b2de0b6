/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet topics apply` and `sandfleet migrate`: what an installation needs before its first
 * run. */
#include <stdbool.h>
#include <stdio.h>

#include "producer/client.h"
#include "schema/migrate.h"
#include "common/banned.h"

int command_topics_apply(struct client *c, int n, char **words)
{
    struct kafka_conf conf = client_kafka(c);
    struct kafka_admin *admin = NULL;
    struct topics topics = {0};
    struct err err = ERR_INIT;

    (void)n;
    (void)words;
    bool done = topics_load(c->prefix, &topics, &err) == ERR_OK &&
                kafka_admin_new(&conf, &admin, &err) == ERR_OK &&
                topics_apply(&topics, admin, c->repartition, stdout, &err) == ERR_OK;
    kafka_admin_free(admin);
    topics_release(&topics);
    return done ? 0 : client_fail(&err);
}

int command_migrate(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;

    (void)n;
    (void)words;
    if (!c->database) {
        err_set(&err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
        return client_fail(&err);
    }
    return migrate_apply(c->database, stdout, &err) == ERR_OK ? 0 : client_fail(&err);
}

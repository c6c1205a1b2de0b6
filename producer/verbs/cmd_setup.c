/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet topics apply` and `sandfleet migrate`: what an installation needs before its first
 * run; `sandfleet retention`: what it needs from time to time. */
#include <stdbool.h>
#include <stdio.h>

#include "producer/audit.h"
#include "producer/client.h"
#include "schema/audit.h"
#include "schema/migrate.h"
#include "schema/retention.h"
#include "common/banned.h"

#define DAY_MS INT64_C(86400000)

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
    bool done = migrate_apply(c->database, stdout, &err) == ERR_OK &&
                audit_tell(c->database, &err) == ERR_OK;
    return done ? 0 : client_fail(&err);
}

static bool drop_audit(const struct client *c, struct err *err)
{
    int64_t dropped = 0;

    if (c->keep_audit_ms == 0)
        return true;
    if (audit_drop(c->database, c->keep_audit_ms, c->dry_run, &dropped, err) != ERR_OK)
        return false;
    printf("%s %lld rows of door.audit\n", c->dry_run ? "would drop" : "dropped",
           (long long)dropped);
    return true;
}

int command_retention(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;

    (void)n;
    (void)words;
    if (!c->database)
        err_set(&err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    else if (c->keep_ms == 0 || c->keep_ms % DAY_MS != 0)
        err_set(&err, ERR_USAGE, "--keep is missing, or not whole days: 90d");
    else if (retention_apply(c->database, c->keep_ms / DAY_MS, c->dry_run, stdout, &err) ==
                 ERR_OK &&
             drop_audit(c, &err) && (c->dry_run || audit_tell(c->database, &err) == ERR_OK))
        return 0;
    return client_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/egress/hook.h"

#include "common/log.h"
#include "sandboxd/control/life.h"

#include "common/banned.h"

static enum err_code read_rules(const struct sandbox *sb, struct egress_rules **out,
                                struct err *err)
{
    bool internet = sb->life == NULL || sb->life->internet != NO;

    return egress_rules_new(sb->network, internet, out, err);
}

/* Nothing runs in the sandbox before the control plane has told its rules by on_network(). */
static enum err_code on_open(void *ctx, struct sandbox *sb, struct err *err)
{
    const struct identity *id = sb->fleet->identity;
    struct door_opts opts = {
        .folder = sb->folder, .sandbox = sb->id, .uid = id->uid, .gid = id->gid};
    enum err_code rc = read_rules(sb, &opts.rules, err);

    return rc == ERR_OK ? door_open(ctx, &opts, &sb->door, err) : rc;
}

static void on_close(void *ctx, struct sandbox *sb)
{
    (void)ctx;
    door_close(sb->door);
    sb->door = NULL;
}

/* The client's request was checked by the same reader before. */
static void on_network(struct sandbox *sb)
{
    struct egress_rules *rules = NULL;
    struct err e = ERR_INIT;

    if (sb->door == NULL)
        return;
    if (read_rules(sb, &rules, &e) == ERR_OK)
        door_set_rules(sb->door, rules);
    else
        log_event(LOG_ERROR, "egress.rules", LF("sandbox", sb->id), LF_ERR(&e));
}

void egress_hook(struct fleet *f, struct egress *g)
{
    f->egress = g;
    f->egress_open = on_open;
    f->egress_close = on_close;
    f->network_changed = on_network;
}

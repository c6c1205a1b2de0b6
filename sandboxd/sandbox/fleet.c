/* SPDX-License-Identifier: Apache-2.0 */
/* All sandboxes of a server, and the processes that are its children. */
#include "sandboxd/sandbox/sandbox_internal.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

static size_t bucket_of(struct str id)
{
    uint32_t h = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 16777619U;
    return h % FLEET_BUCKETS;
}

void fleet_add(struct sandbox *sb)
{
    struct fleet *f = sb->fleet;

    TAILQ_INSERT_TAIL(&f->all, sb, link);
    LIST_INSERT_HEAD(&f->buckets[bucket_of(str_of(sb->id))], sb, bucket);
    f->count++;
}

void fleet_drop(struct sandbox *sb)
{
    TAILQ_REMOVE(&sb->fleet->all, sb, link);
    LIST_REMOVE(sb, bucket);
    sb->fleet->count--;
}

struct sandbox *sandbox_find(struct fleet *f, struct str id)
{
    struct sandbox *sb;

    LIST_FOREACH(sb, &f->buckets[bucket_of(id)], bucket)
    if (!sb->ending && str_is(id, sb->id))
        return sb;
    return NULL;
}

void fleet_kill_strangers(struct fleet *f)
{
    size_t room = (size_t)f->count + 1;
    const struct child *c;
    const struct sandbox *sb;

    LIST_FOREACH(c, &f->children, link)
    room++;
    int *pids = calloc(room, sizeof(*pids)), n = 0;
    TAILQ_FOREACH(sb, &f->all, link)
    if (pids != NULL && sb->init_pid > 0 && n < f->count)
        pids[n++] = sb->init_pid;
    LIST_FOREACH(c, &f->children, link)
    if (pids != NULL)
        pids[n++] = c->pid;
    if (pids != NULL)
        (void)tree_kill_children(pids, n);
    free(pids);
}

void sandbox_kill_all(struct fleet *f, const char *reason)
{
    struct sandbox *sb;

    TAILQ_FOREACH(sb, &f->all, link)
    sandbox_kill(sb, reason, NULL);
}

static struct sandbox *by_pid(struct fleet *f, pid_t pid)
{
    struct sandbox *sb;

    TAILQ_FOREACH(sb, &f->all, link)
    if (sb->init_pid == pid)
        return sb;
    return NULL;
}

void fleet_reap(struct fleet *f)
{
    bool stranger = false;
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct sandbox *sb = by_pid(f, pid);

        if (sb != NULL) {
            sandbox_reaped(sb);
        } else {
            stranger = !child_exited(f, pid, status) || stranger;
        }
    }
    if (stranger) /* an orphan of a dead init; it may have left more */
        fleet_kill_strangers(f);
}

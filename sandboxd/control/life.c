/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/life.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "sandboxd/server.h"

#include "common/banned.h"

enum { AGAIN_MS = 100, PROGRAM_MAX = 64 };

static struct server *server_of(const struct sandbox *sb)
{
    return CONTAINER_OF(sb->fleet, struct server, fleet);
}

static void note(struct sandbox *sb, enum lifecycle what, const char *reason)
{
    const struct life *l = sb->life;

    lifecycle_add(server_of(sb)->lifecycle, what, sb->id, l->template_id, reason);
    journal_add(&sb->life->log, JOURNAL_INFO, lifecycle_text(what),
                (const char *const[]){"reason", reason, NULL});
}

void life_tell(struct sandbox *sb, const char *message, const char *const pairs[])
{
    if (sb->life != NULL)
        journal_add(&sb->life->log, JOURNAL_INFO, message, pairs);
}

void life_tell_process(struct sandbox *sb, int pid, const char *program, const char *status)
{
    const char *whole = program != NULL ? program : "?", *slash = strrchr(whole, '/');
    char number[16], name[PROGRAM_MAX];

    (void)snprintf(number, sizeof(number), "%d", pid);
    (void)snprintf(name, sizeof(name), "%s", slash != NULL ? slash + 1 : whole);
    life_tell(sb, status == NULL ? "process started" : "process ended",
              (const char *const[]){"pid", number, "program", name, "status", status, NULL});
}

/* --- the state ------------------------------------------------------------------- */

static bool move(struct sandbox *sb, enum life_event e)
{
    struct life *l = sb->life;
    enum life_state next = life_next(l->state, e);

    if (next == LIFE_NONE)
        return false;
    log_event(LOG_DEBUG, "sandbox.state", LF("sandbox", sb->id),
              LF("was", life_state_name(l->state)), LF("is", life_state_name(next)));
    l->state = next;
    return true;
}

static void settle(struct sandbox *sb, enum life_event e, int errnum)
{
    LIST_HEAD(, life_waiter) all = LIST_HEAD_INITIALIZER(all);
    struct life_waiter *w;

    if (sb->ending) /* the waiters were told */
        return;
    bool moved = move(sb, e);
    assert(moved);
    while ((w = LIST_FIRST(&sb->life->waiters)) != NULL) { /* those who come meanwhile wait anew */
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(&all, w, link);
    }
    while ((w = LIST_FIRST(&all)) != NULL) {
        LIST_REMOVE(w, link);
        w->settled(w, errnum);
    }
}

void life_wait(struct sandbox *sb, struct life_waiter *w)
{
    LIST_INSERT_HEAD(&sb->life->waiters, w, link);
}

void life_unwait(struct life_waiter *w)
{
    LIST_REMOVE(w, link);
}

bool life_shown(const struct sandbox *sb)
{
    return !sb->ending && sb->life != NULL && sb->life->state != LIFE_STARTING;
}

bool life_paused(const struct sandbox *sb)
{
    return sb->life->state == LIFE_PAUSED || sb->life->state == LIFE_PAUSING;
}

/* --- begin and end ------------------------------------------------------------------- */

enum err_code life_begin(struct sandbox *sb, const char *template_id,
                         const struct new_sandbox *want, struct err *err)
{
    struct life *l = calloc(1, sizeof(*l));

    if (l == NULL || (l->template_id = str_dup(str_of(template_id))) == NULL) {
        free(l);
        return err_set(err, ERR_NOMEM, "sandbox");
    }
    l->sb = sb;
    l->state = LIFE_STARTING;
    l->secure = want->secure;
    l->auto_pause = want->auto_pause;
    l->auto_resume = want->auto_resume;
    l->internet = want->internet;
    l->timeout_ms = want->timeout_s * 1000;
    LIST_INIT(&l->waiters);
    sb->life = l;
    if (want->network != NULL && (sb->network = cJSON_Duplicate(want->network, true)) == NULL)
        return err_set(err, ERR_NOMEM, "sandbox");
    return ERR_OK;
}

void life_ready(struct sandbox *sb)
{
    settle(sb, EV_READY, 0);
    sb->life->since_ms = clock_wall_ms();
    sandbox_expire_in(sb, sb->life->timeout_ms);
    note(sb, LIFECYCLE_CREATED, NULL);
}

static void on_ending(struct sandbox *sb, const char *reason)
{
    struct life_waiter *w;

    if (sb->life == NULL)
        return;
    if (sb->life->state != LIFE_STARTING)
        note(sb, LIFECYCLE_KILLED, reason);
    while ((w = LIST_FIRST(&sb->life->waiters)) != NULL) {
        LIST_REMOVE(w, link);
        w->settled(w, ESRCH);
    }
}

static void on_freed(struct sandbox *sb)
{
    struct life *l = sb->life;

    if (l == NULL)
        return;
    journal_release(&l->log);
    usage_release(&l->usage);
    free(l->template_id);
    free(l);
    sb->life = NULL;
}

static void on_expired(struct sandbox *sb)
{
    struct err e = ERR_INIT;

    if (sb->life == NULL || sb->life->state == LIFE_STARTING)
        return; /* its time has not begun */
    if (!sb->life->auto_pause)
        sandbox_kill(sb, "expired", NULL);
    else if (sb->life->state != LIFE_PAUSED && life_pause(sb, "expired", &e) != ERR_OK)
        timer_start(sb->expiry, AGAIN_MS); /* it is just changing, or busy */
}

void life_hooks(struct fleet *f)
{
    f->expired = on_expired;
    f->ending = on_ending;
    f->freed = on_freed;
}

/* --- pause, resume ----------------------------------------------------------------------- */

static void on_paused(void *ctx, int errnum, int fd)
{
    struct sandbox *sb = ctx;
    int64_t left = sb->end_ms - clock_wall_ms();

    (void)fd;
    if (errnum == 0)
        note(sb, LIFECYCLE_PAUSED, NULL);
    else if (!sb->ending) /* it goes on, for as long as it had */
        timer_start(sb->expiry, left > AGAIN_MS ? left : AGAIN_MS);
    settle(sb, errnum == 0 ? EV_DONE : EV_FAILED, errnum);
}

enum err_code life_pause(struct sandbox *sb, const char *reason, struct err *err)
{
    uint32_t ticket;

    if (life_next(sb->life->state, EV_PAUSE) == LIFE_NONE)
        return err_set(err, ERR_CONFLICT, "the sandbox is %s", life_state_name(sb->life->state));
    enum err_code rc = sandbox_pause(sb, on_paused, sb, &ticket, err);
    if (rc != ERR_OK)
        return rc;
    (void)move(sb, EV_PAUSE);
    timer_stop(sb->expiry);
    web_cut(server_of(sb)->web, str_of(sb->id)); /* as the edge does */
    log_event(LOG_INFO, "sandbox.paused", LF("sandbox", sb->id), LF("reason", reason));
    return ERR_OK;
}

static void on_resumed(void *ctx, int errnum, int fd)
{
    struct sandbox *sb = ctx;

    (void)fd;
    if (errnum == 0) {
        sb->life->since_ms = clock_wall_ms();
        sandbox_expire_in(sb, sb->life->resume_ms);
        note(sb, LIFECYCLE_RESUMED, NULL);
    }
    settle(sb, errnum == 0 ? EV_DONE : EV_FAILED, errnum);
}

enum err_code life_resume(struct sandbox *sb, int64_t ms, struct err *err)
{
    uint32_t ticket;

    if (life_next(sb->life->state, EV_RESUME) == LIFE_NONE)
        return err_set(err, ERR_CONFLICT, "the sandbox is %s", life_state_name(sb->life->state));
    enum err_code rc = sandbox_resume(sb, on_resumed, sb, &ticket, err);
    if (rc != ERR_OK)
        return rc;
    (void)move(sb, EV_RESUME);
    sb->life->resume_ms = ms;
    log_event(LOG_INFO, "sandbox.resumed", LF("sandbox", sb->id));
    return ERR_OK;
}

/* --- standing still for a snapshot ------------------------------------------------- */

enum err_code life_hold(struct sandbox *sb, struct err *err)
{
    if (move(sb, EV_SAVE))
        return ERR_OK;
    return err_set(err, ERR_CONFLICT, "the sandbox is %s", life_state_name(sb->life->state));
}

void life_let_go(struct sandbox *sb, bool done)
{
    settle(sb, done ? EV_DONE : EV_FAILED, 0);
    if (done && !sb->ending)
        note(sb, LIFECYCLE_CHECKPOINTED, NULL);
}

/* --- how long ---------------------------------------------------------------------------- */

enum err_code life_last(struct sandbox *sb, int64_t ms, struct err *err)
{
    int64_t left = sb->life->since_ms + LIFE_MAX_MS - clock_wall_ms();

    if (left <= 0)
        return err_set(err, ERR_INVALID, "Max instance length exceeded");
    sandbox_expire_in(sb, ms < left ? ms : left);
    note(sb, LIFECYCLE_UPDATED, "timeout");
    return ERR_OK;
}

enum err_code life_extend(struct sandbox *sb, int64_t ms, struct err *err)
{
    return clock_wall_ms() + ms > sb->end_ms ? life_last(sb, ms, err) : ERR_OK;
}

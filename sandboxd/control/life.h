/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane knows of a sandbox beyond its processes: in which state
 * it is, how it was asked to live, what happened to it.
 *
 * A paused sandbox is one whose processes are all stopped. They keep their
 * memory, their files and their connections; nothing is written to disk, so a
 * pause does not outlive this server and frees no memory. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_LIFE_H
#define SANDFLEET_SANDBOXD_CONTROL_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "sandboxd/control/journal.h"
#include "sandboxd/control/life_state.h"
#include "sandboxd/control/new_sandbox.h"
#include "sandboxd/control/usage.h"
#include "sandboxd/sandbox/sandbox.h"

enum { LIFE_MAX_MS = 24 * 3600 * 1000 }; /* longest without a pause */

struct life_waiter { /* somebody who waits for the state to settle; embed it */
    LIST_ENTRY(life_waiter) link;
    /* Off the list. errnum 0: done; ESRCH: the sandbox has ended; else: it stays as it was. */
    void (*settled)(struct life_waiter *w, int errnum);
};

struct life {
    struct sandbox *sb;
    enum life_state state;
    char *template_id; /* as clients see it; a snapshot's differs from the sandbox's own */
    bool secure, auto_pause, auto_resume;
    enum tristate internet;
    int64_t timeout_ms; /* as it was created with */
    int64_t since_ms;   /* wall time: since when it has been running without a pause */
    int64_t resume_ms;  /* how long it is to live after the resume under way */
    struct journal log;
    struct usage_history usage;
    LIST_HEAD(, life_waiter) waiters;
};

void life_hooks(struct fleet *f); /* makes the fleet tell us; before the first sandbox */

/* In state STARTING. ERR_NOMEM. */
enum err_code life_begin(struct sandbox *sb, const char *template_id,
                         const struct new_sandbox *want, struct err *err) MUST_USE;
void life_ready(struct sandbox *sb); /* it is RUNNING, and its time begins */

bool life_shown(const struct sandbox *sb);  /* it is neither starting nor ending */
bool life_paused(const struct sandbox *sb); /* as a list says: paused or on the way to it */

/* The change has begun: life_wait() tells its end. ERR_CONFLICT: not in this state.
 * ERR_UNAVAILABLE: busy. */
enum err_code life_pause(struct sandbox *sb, const char *reason, struct err *err) MUST_USE;
enum err_code life_resume(struct sandbox *sb, int64_t ms, struct err *err) MUST_USE;

/* Nobody may pause it while its files are copied. ERR_CONFLICT: not in this state. */
enum err_code life_hold(struct sandbox *sb, struct err *err) MUST_USE;
void life_let_go(struct sandbox *sb, bool done);

void life_wait(struct sandbox *sb, struct life_waiter *w);
void life_unwait(struct life_waiter *w);

/* For its journal. pairs: name, value, …, NULL; never an argument, an environment's value, output.
 */
void life_tell(struct sandbox *sb, const char *message, const char *const pairs[]);
/* A process of it: its program's name and its pid; `status` NULL: it has started. */
void life_tell_process(struct sandbox *sb, int pid, const char *program, const char *status);

/* It lives `ms` from now, at most LIFE_MAX_MS without a pause. ERR_INVALID: that is over. */
enum err_code life_last(struct sandbox *sb, int64_t ms, struct err *err) MUST_USE;
enum err_code life_extend(struct sandbox *sb, int64_t ms,
                          struct err *err) MUST_USE; /* never less */

#endif

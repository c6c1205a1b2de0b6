/* SPDX-License-Identifier: Apache-2.0 */
/* Files in, supervisor up. Each step may be done twice: uploads overwrite, and one mkdir
 * in the sandbox decides which start counts. */
#include <stdlib.h>

#include "common/fault.h"
#include "worker/capture/capture_internal.h"

#include "common/banned.h"

enum { PATH_ROOM = CAPTURE_DIR_MAX_BYTES + 32 };

static const char *const put_names[PUTS] = {[PUT_JOB] = "job",
                                            [PUT_PROMPT] = "prompt",
                                            [PUT_TOKEN] = "token",
                                            [PUT_TRANSCRIPT] = "transcript"};

static void launch(struct capture *c);

/* Another try of `step`, unless the sandbox is gone or the time is up. */
static void again(struct capture *c, capture_step step, const struct err *e)
{
    int64_t delay = e->retry_ms > 0 ? e->retry_ms : backoff_next_ms(&c->backoff);

    /* IO: the disk is full, which time does not heal, but another sandbox may */
    if (e->code == ERR_GONE) {
        capture_lost(c, step, e);
    } else if (e->code == ERR_IO || err_action(e->code) == ERR_DO_STOP) {
        capture_fail(c, e);
    } else if (loop_now_ms(c->loop) + delay >= c->deadline_ms) {
        struct err late = *e;

        late.code = ERR_UNAVAILABLE;
        (void)err_wrap(&late, "cannot start the agent");
        capture_fail(c, &late);
    } else {
        capture_later(c, step, delay);
    }
}

/* One that was started before may have ended long ago, and its number be somebody else's
 * now: rc is looked for first. */
static void started(struct capture *c, int64_t pid, capture_step next)
{
    c->pid = pid;
    buf_release(&c->job);
    buf_release(&c->prompt);
    buf_release(&c->transcript);
    secret_free(c->token);
    c->token = NULL;
    capture_alive(c);
    capture_later(c, next, 0);
    if (c->signal)
        timer_start(c->kill_timer, 0);
    c->ev.started(c->ctx); /* last: it may free us */
}

/* A process id and a newline; 0: it is none. */
static int64_t read_pid(struct str text)
{
    int64_t pid = 0;

    return str_int(str_trim(text), INT32_MAX, &pid) ? pid : 0;
}

/* --- look ------------------------------------------------------------------------ */

static void on_look(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;
    int64_t pid = e->code == ERR_OK ? read_pid(a->body) : 0;

    c->call = NULL;
    fault_pass("agent", pid > 0 ? "found" : "not found");
    if (pid > 0)
        started(c, pid, capture_look_for_rc);
    else if (e->code == ERR_OK || e->code == ERR_NOT_FOUND)
        capture_prepare(c);
    else
        again(c, capture_look, e);
}

void capture_look(struct capture *c)
{
    char path[PATH_ROOM];
    struct err e;

    if (envd_get(c->envd, capture_path(c, "pid", path, sizeof(path)), 0, NULL, on_look, c, &c->call,
                 &e) != ERR_OK)
        again(c, capture_look, &e);
}

static void on_said(void *ctx, struct str bytes)
{
    struct capture *c = ctx;

    buf_addstr(&c->said, bytes);
}

/* --- files in --------------------------------------------------------------------- */

static void on_put(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = *(struct capture **)ctx; /* first member of its slot in puts[] */

    (void)a;
    for (size_t i = 0; i < PUTS; i++)
        if ((void *)&c->puts[i] == ctx)
            c->puts[i].call = NULL;
    if (e->code != ERR_OK)
        c->put_err = *e;
    fault_pass("upload", "answered");
    if (--c->puts_left > 0)
        return;
    if (c->put_err.code == ERR_OK)
        launch(c);
    else
        again(c, capture_prepare, &c->put_err);
}

static struct str put_bytes(const struct capture *c, enum capture_put which)
{
    switch (which) {
    case PUT_JOB:
        return buf_str(&c->job);
    case PUT_PROMPT:
        return buf_str(&c->prompt);
    case PUT_TOKEN:
        return secret_value(c->token);
    case PUT_TRANSCRIPT:
        return buf_str(&c->transcript);
    case PUTS:
        break;
    }
    abort();
}

static bool is_put(const struct capture *c, enum capture_put which)
{
    return which == PUT_TOKEN ? c->token != NULL : which != PUT_TRANSCRIPT || c->transcript.len > 0;
}

/* All at once, to their final names: a half file is never read, because the start comes
 * after the last of them was answered. */
static void upload(struct capture *c)
{
    char path[PATH_ROOM];

    c->put_err = ERR_INIT;
    c->puts_left = 0;
    for (int i = 0; i < PUTS; i++)
        c->puts_left += is_put(c, (enum capture_put)i);
    for (int i = 0; i < PUTS; i++) {
        struct err e = ERR_INIT;

        c->puts[i].c = c;
        if (is_put(c, (enum capture_put)i) &&
            envd_put(c->envd, capture_path(c, put_names[i], path, sizeof(path)),
                     put_bytes(c, (enum capture_put)i), on_put, &c->puts[i], &c->puts[i].call,
                     &e) != ERR_OK) {
            capture_drop(c);
            again(c, capture_prepare, &e);
            return;
        }
    }
}

static void on_folder(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;
    struct err why = *e;

    c->stream = NULL;
    fault_pass("folder", "made");
    if (why.code == ERR_OK && exit_code == 0) {
        upload(c);
        return;
    }
    if (why.code == ERR_OK)
        (void)err_set(&why, ERR_IO, "sandbox: cannot make the run's folder (exit status %d)",
                      (int)exit_code);
    again(c, capture_prepare, &why);
}

/* The folder is closed to others before anything is put into it: uploads have whatever
 * mode the daemon gives them. */
void capture_prepare(struct capture *c)
{
    static const char script[] =
        "umask 077; mkdir -p -- \"$HOME/$1\" && chmod 700 -- \"$HOME/.sandfleet\"";
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_folder};
    struct err e;

    if (capture_shell(c, script, NULL, &ev, &c->stream, &e) != ERR_OK)
        again(c, capture_prepare, &e);
}

/* --- supervisor up ------------------------------------------------------------------ */

/* Cut or refused: whether it started is not known, and starting again tells. */
static void on_launched(void *ctx, int64_t exit_code, const struct err *e)
{
    struct capture *c = ctx;
    int64_t pid = read_pid(buf_str(&c->said));
    struct err why = *e;

    c->stream = NULL;
    fault_pass("start", "answered");
    if (pid > 0) {
        started(c, pid, capture_follow);
        return;
    }
    if (why.code == ERR_OK)
        (void)err_set(&why, ERR_UNAVAILABLE, "supervisor: exit status %d", (int)exit_code);
    again(c, launch, &why);
}

static void launch(struct capture *c)
{
    static const char script[] = "cd -- \"$HOME/$1\" && exec sh ./job start";
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_launched};
    struct err e;

    buf_clear(&c->said);
    if (capture_shell(c, script, NULL, &ev, &c->stream, &e) != ERR_OK)
        again(c, launch, &e);
    fault_pass("start", "asked");
}

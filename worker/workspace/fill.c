/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/fill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "worker/workspace/fill_job.h"
#include "worker/workspace/haul.h"
#include "common/banned.h"

enum {
    DIR_MAX_BYTES = 128,
    NAME_MAX_BYTES = 48,
    PATH_ROOM = DIR_MAX_BYTES + NAME_MAX_BYTES + 8,
    SAID_MAX_BYTES = 4096,
    TAR_MAX_BYTES = 2 << 20,
    JOB_MAX_BYTES = 64 << 10,
    EXIT_REFUSED = 10, /* as in fill.sh */
    EXIT_SOURCE = 11
};

typedef void (*fill_step)(struct fill *f);

/* One thing is under way at any time: `stream`, `call`, `haul`, or `timer` for the next step. */
struct fill {
    const struct fetch_policy *policy;
    struct envd *envd;
    struct loop *loop;
    const struct run_request *request;
    char dir[DIR_MAX_BYTES];
    char archive[NAME_MAX_BYTES], files[NAME_MAX_BYTES], job[NAME_MAX_BYTES];
    struct envd_stream *stream;
    struct envd_call *call;
    struct haul *haul;
    struct timer *timer, *limit;
    struct backoff backoff;
    fill_step next;
    struct buf said;
    fill_fn fn;
    void *ctx;
};

bool fill_applies(const struct run_request *r)
{
    return r->files || r->archive || r->repo;
}

void fill_free(struct fill *f)
{
    if (!f)
        return;
    envd_stream_free(f->stream);
    envd_call_free(f->call);
    haul_free(f->haul);
    timer_free(f->timer);
    timer_free(f->limit);
    buf_release(&f->said);
    free(f);
}

static void finish(struct fill *f, enum fill_end end, const struct err *e)
{
    struct err copy = *e;
    fill_fn fn = f->fn;
    void *ctx = f->ctx;

    fill_free(f);
    fn(ctx, end, &copy);
}

static void on_timer(void *ctx)
{
    struct fill *f = ctx;

    f->next(f);
}

static void on_limit(void *ctx)
{
    struct err e;

    (void)err_set(&e, ERR_TIMEOUT, "the working directory is not filled in %d s",
                  FILL_MAX_MS / 1000);
    finish(ctx, FILL_SOURCE, &e);
}

static void later(struct fill *f, fill_step step, int64_t delay_ms)
{
    f->next = step;
    timer_start(f->timer, delay_ms);
}

/* The same once more, as long as there is time (`limit`), unless that cannot help. */
static void again(struct fill *f, fill_step step, const struct err *e)
{
    if (e->code == ERR_GONE || e->code == ERR_IO || err_action(e->code) != ERR_DO_RETRY)
        finish(f, FILL_SANDBOX, e);
    else
        later(f, step, e->retry_ms > 0 ? e->retry_ms : backoff_next_ms(&f->backoff));
}

static const char *path_of(const struct fill *f, const char *name, char out[PATH_ROOM])
{
    (void)snprintf(out, PATH_ROOM, "~/%s/%s", f->dir, name);
    return out;
}

static void on_said(void *ctx, struct str bytes)
{
    struct fill *f = ctx;

    buf_addstr(&f->said, bytes);
    if (f->said.rc != ERR_OK)
        buf_clear(&f->said);
}

static enum err_code shell(struct fill *f, const char *script, const char *word,
                           void (*ended)(void *ctx, int64_t exit_code, const struct err *e),
                           struct err *err)
{
    const struct envd_stream_events ev = {.out = on_said, .ended = ended};
    const char *const args[] = {"-c", script, "sh", f->dir, word, NULL};

    buf_clear(&f->said);
    return envd_run(f->envd, &(struct envd_command){.cmd = "/bin/sh", .args = args}, &ev, f,
                    &f->stream, err);
}

/* --- the script ------------------------------------------------------------------------ */

static void run_job(struct fill *f);

/* The last line that was said is the reason. */
static struct str reason(const struct fill *f)
{
    struct str said = str_trim(buf_str(&f->said));
    const char *line = said.n > 0 ? memrchr(said.p, '\n', said.n) : NULL;

    return line ? (struct str){line + 1, (size_t)(said.p + said.n - line) - 1} : said;
}

/* A stream that was cut tells nothing: the script, run again, waits for itself. */
static void on_job_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    struct fill *f = ctx;
    struct err why = *e;
    struct str said = reason(f);

    f->stream = NULL;
    if (why.code != ERR_OK) {
        again(f, run_job, &why);
    } else if (exit_code == 0) {
        finish(f, FILL_DONE, &why);
    } else {
        (void)err_set(&why, exit_code == EXIT_REFUSED ? ERR_INVALID : ERR_UNAVAILABLE, STR_FMT,
                      STR_ARG(said.n > 0 ? said : STR("the script that fills it failed")));
        finish(f,
               exit_code == EXIT_REFUSED  ? FILL_REFUSED
               : exit_code == EXIT_SOURCE ? FILL_SOURCE
                                          : FILL_SANDBOX,
               &why);
    }
}

static void run_job(struct fill *f)
{
    static const char script[] = "cd -- \"$HOME/$1\" && { [ ! -e filled ] || exit 0; } && "
                                 "exec sh \"./$2\"";
    struct err e;

    if (shell(f, script, f->job, on_job_ended, &e) != ERR_OK)
        again(f, run_job, &e);
}

static void put_job(struct fill *f);

static void on_job_put(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct fill *f = ctx;

    (void)a;
    f->call = NULL;
    if (e->code == ERR_OK)
        run_job(f);
    else
        again(f, put_job, e);
}

static void put_job(struct fill *f)
{
    const struct fill_names names = {.archive = f->request->archive ? f->archive : NULL,
                                     .files = f->request->files ? f->files : NULL,
                                     .local_protocols = f->policy->local_files != NULL,
                                     .limit_s = FILL_GIT_S};
    AUTO_BUF job = BUF_INIT(JOB_MAX_BYTES);
    char path[PATH_ROOM];
    struct err e = ERR_INIT;

    fill_job_write(f->request, &names, &job);
    if (job.rc != ERR_OK)
        (void)err_set(&e, job.rc, "the working directory's job");
    if (e.code != ERR_OK || envd_put(f->envd, path_of(f, f->job, path), buf_str(&job), on_job_put,
                                     f, &f->call, &e) != ERR_OK)
        again(f, put_job, &e);
}

/* --- files ------------------------------------------------------------------------------- */

static void put_files(struct fill *f);

static void on_files_put(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct fill *f = ctx;

    (void)a;
    f->call = NULL;
    if (e->code == ERR_OK)
        put_job(f);
    else
        again(f, put_files, e);
}

static void put_files(struct fill *f)
{
    AUTO_BUF tar = BUF_INIT(TAR_MAX_BYTES);
    char path[PATH_ROOM];
    struct err e = ERR_INIT;

    if (!f->request->files) {
        put_job(f);
        return;
    }
    if (fill_job_files(f->request, &tar, &e) != ERR_OK)
        finish(f, e.code == ERR_INVALID ? FILL_REFUSED : FILL_SANDBOX, &e);
    else if (envd_put(f->envd, path_of(f, f->files, path), buf_str(&tar), on_files_put, f, &f->call,
                      &e) != ERR_OK)
        again(f, put_files, &e);
}

/* --- archive ----------------------------------------------------------------------------- */

static void haul(struct fill *f);

static void on_hauled(void *ctx, enum fill_end end, const struct err *e)
{
    struct fill *f = ctx;

    f->haul = NULL;
    if (end == FILL_DONE)
        put_files(f);
    else if (end == FILL_SANDBOX)
        again(f, haul, e);
    else
        finish(f, end, e);
}

static void haul(struct fill *f)
{
    struct run_archive archive;
    char path[PATH_ROOM];
    struct err e;

    if (!run_archive_of(f->request, &archive)) {
        put_files(f);
        return;
    }
    if (haul_start(f->policy, f->envd, &archive, path_of(f, f->archive, path), on_hauled, f,
                   &f->haul, &e) != ERR_OK)
        finish(f, e.code == ERR_INVALID ? FILL_REFUSED : FILL_SANDBOX, &e);
}

/* --- look -------------------------------------------------------------------------------- */

static void look(struct fill *f);

static void on_looked(void *ctx, int64_t exit_code, const struct err *e)
{
    struct fill *f = ctx;
    struct err why = *e;
    bool filled = str_is(str_trim(buf_str(&f->said)), "filled");

    f->stream = NULL;
    if (why.code == ERR_OK && exit_code == 0) {
        if (filled)
            finish(f, FILL_DONE, &why);
        else
            haul(f);
        return;
    }
    if (why.code == ERR_OK)
        (void)err_set(&why, ERR_IO, "sandbox: cannot make the run's folder (exit status %d)",
                      (int)exit_code);
    again(f, look, &why);
}

/* Was it done before, or has an agent started? The folder is closed to others before anything is
 * put into it. */
static void look(struct fill *f)
{
    static const char script[] =
        "umask 077; mkdir -p -- \"$HOME/$1\" && chmod 700 -- \"$HOME/.sandfleet\" && "
        "cd -- \"$HOME/$1\" || exit 73; "
        "if [ -d started ] || [ -e filled ]; then echo filled; fi";
    struct err e;

    if (shell(f, script, NULL, on_looked, &e) != ERR_OK)
        again(f, look, &e);
}

/* --- start ------------------------------------------------------------------------------- */

/* What the settings forbid is refused before anything is asked for. */
static enum err_code check_repo(const struct fill *f, struct err *err)
{
    struct run_repo repo;
    const char *path;

    if (!run_repo_of(f->request, &repo) || !str_starts(str_of(repo.url), "file:"))
        return ERR_OK;
    return fetch_local_path(f->policy->local_files, repo.url, &path, err);
}

static void begin(struct fill *f)
{
    struct err e = ERR_INIT;

    if (check_repo(f, &e) != ERR_OK)
        finish(f, FILL_REFUSED, &e);
    else
        look(f);
}

enum err_code fill_start(const struct fetch_policy *policy, struct sandbox *sb,
                         const struct fill_want *want, fill_fn fn, void *ctx, struct fill **out,
                         struct err *err)
{
    struct fill *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "the working directory");
    *f = (struct fill){.policy = policy,
                       .envd = sandbox_envd(sb),
                       .loop = sandbox_loop(sb),
                       .request = want->request,
                       .said = BUF_INIT(SAID_MAX_BYTES),
                       .backoff = BACKOFF_INIT(100, 5000),
                       .fn = fn,
                       .ctx = ctx};
    (void)snprintf(f->dir, sizeof(f->dir), ".sandfleet/%s/%" PRId64, want->run_id, want->attempt);
    (void)snprintf(f->job, sizeof(f->job), "fill.%" PRId64, want->epoch);
    (void)snprintf(f->archive, sizeof(f->archive), "archive.%" PRId64 ".tar.gz", want->epoch);
    (void)snprintf(f->files, sizeof(f->files), "files.%" PRId64 ".tar", want->epoch);
    f->timer = timer_new(f->loop, on_timer, f);
    f->limit = timer_new(f->loop, on_limit, f);
    if (!f->timer || !f->limit) {
        fill_free(f);
        return err_set(err, ERR_NOMEM, "the working directory");
    }
    timer_start(f->limit, FILL_MAX_MS);
    later(f, begin, 0);
    *out = f;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifact/collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "worker/artifact/carry_file.h"
#include "worker/artifact/glob.h"
#include "common/banned.h"

extern const char collect_sh[];
extern const size_t collect_sh_len;

enum {
    DIR_MAX_BYTES = 128,
    NAME_ROOM = 64,
    PATH_ROOM = DIR_MAX_BYTES + NAME_ROOM + 8,
    JOB_MAX_BYTES = 128 << 10,
    SAID_MAX_BYTES = 256,
    LOCATION_MAX_BYTES = 4096,
    EXIT_NOTHING = 3, /* as in collect.sh */
    EXIT_TOO_BIG = 4
};

typedef void (*collect_step)(struct collect *c);

/* One thing is under way at any time: `stream`, `call`, `file`, or `timer` for the next step. */
struct collect {
    struct store *store;
    struct envd *envd;
    struct loop *loop;
    struct collect_want want;
    struct collect_events ev;
    void *ctx;
    char dir[DIR_MAX_BYTES];
    const char *name; /* of the artifact under way */
    int64_t bytes, files;
    int tries;
    int packs; /* each has files of its own in the sandbox: one that was left may be at work */
    struct backoff backoff;
    struct envd_stream *stream;
    struct envd_call *call;
    struct carry_file *file;
    struct timer *timer, *limit;
    collect_step next;
    struct buf said;
};

void collect_free(struct collect *c)
{
    if (!c)
        return;
    envd_stream_free(c->stream);
    envd_call_free(c->call);
    carry_file_free(c->file);
    timer_free(c->timer);
    timer_free(c->limit);
    buf_release(&c->said);
    free(c);
}

static void finish(struct collect *c)
{
    void (*done)(void *ctx) = c->ev.done;
    void *ctx = c->ctx;

    collect_free(c);
    done(ctx);
}

static void on_timer(void *ctx)
{
    struct collect *c = ctx;

    c->next(c);
}

static void later(struct collect *c, collect_step step, int64_t delay_ms)
{
    c->next = step;
    timer_start(c->timer, delay_ms);
}

static void on_limit(void *ctx)
{
    struct collect *c = ctx;
    struct err e;

    (void)err_set(&e, ERR_TIMEOUT, "it is not stored in %d s", COLLECT_MAX_MS / 1000);
    c->ev.failed(c->ctx, c->name, &e);
    finish(c);
}

/* The name of a file of this pack, in the attempt's folder. */
static const char *name_of(const struct collect *c, const char *what, char out[NAME_ROOM])
{
    (void)snprintf(out, NAME_ROOM, "%s.%" PRId64 ".%d", what, c->want.epoch, c->packs);
    return out;
}

static const char *path_of(const struct collect *c, const char *name, char out[PATH_ROOM])
{
    (void)snprintf(out, PATH_ROOM, "~/%s/%s", c->dir, name);
    return out;
}

static void next_artifact(struct collect *c);
static void pack(struct collect *c);

/* The same once more, a few times, when that may help; else the next one. */
static void again(struct collect *c, collect_step step, const struct err *e)
{
    bool may =
        e->code == ERR_CONFLICT || (err_action(e->code) == ERR_DO_RETRY && e->code != ERR_IO);

    if (may && e->code != ERR_GONE && ++c->tries < COLLECT_TRIES) {
        later(c, step, e->retry_ms > 0 ? e->retry_ms : backoff_next_ms(&c->backoff));
        return;
    }
    c->ev.failed(c->ctx, c->name, e);
    next_artifact(c);
}

void collect_key(const char *tenant, const char *run_id, int64_t attempt, const char *name,
                 struct buf *out)
{
    for (const char *p = tenant; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';

        if (plain)
            buf_addc(out, *p);
        else
            buf_addf(out, "=%02X", (unsigned char)*p);
    }
    buf_addf(out, "/%s/%" PRId64 "/%s", run_id, attempt, name);
}

/* --- into the store --------------------------------------------------------------------- */

static void carry(struct collect *c);

static void tell(struct collect *c, const struct carry_file_done *d)
{
    AUTO_BUF key = BUF_INIT(STORE_KEY_MAX + 1), where = BUF_INIT(LOCATION_MAX_BYTES);

    collect_key(c->want.request->tenant, c->want.run_id, c->want.attempt, c->name, &key);
    store_location(c->store, key.p, &where);
    c->ev.stored(c->ctx, &(struct artifact){.name = c->name,
                                            .bytes = c->bytes,
                                            .files = c->files,
                                            .sha256 = d->sha256,
                                            .location = where.p,
                                            .masked = d->masked});
}

static void on_tidied(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct collect *c = ctx;

    (void)a, (void)e; /* what stays goes with the sandbox */
    c->call = NULL;
    next_artifact(c);
}

/* A session's sandbox is kept, and needs no second copy. */
static void tidy(struct collect *c)
{
    char name[NAME_ROOM], path[PATH_ROOM];
    struct err e;

    if (c->files == 0 || envd_remove(c->envd, path_of(c, name_of(c, "archive", name), path),
                                     on_tidied, c, &c->call, &e) != ERR_OK)
        next_artifact(c);
}

static void on_carried(void *ctx, const struct carry_file_done *d, const struct err *e)
{
    struct collect *c = ctx;

    c->file = NULL;
    if (e->code != ERR_OK) {
        again(c, carry, e);
        return;
    }
    tell(c, d);
    tidy(c);
}

static void carry(struct collect *c)
{
    bool packed = c->files > 0;
    AUTO_BUF key = BUF_INIT(STORE_KEY_MAX + 1);
    char name[NAME_ROOM], path[PATH_ROOM];
    struct err e = ERR_INIT;

    (void)path_of(c, packed ? name_of(c, "archive", name) : "out.ndjson", path);
    collect_key(c->want.request->tenant, c->want.run_id, c->want.attempt, c->name, &key);
    const struct carry_file_want want = {.loop = c->loop,
                                         .envd = c->envd,
                                         .store = c->store,
                                         .path = path,
                                         .key = key.p,
                                         .bytes = c->bytes,
                                         .packed = packed,
                                         .redactor = c->want.redactor};
    if (key.rc != ERR_OK)
        (void)err_set(&e, key.rc, "its key");
    if (e.code != ERR_OK || carry_file_start(&want, on_carried, c, &c->file, &e) != ERR_OK)
        again(c, carry, &e);
}

/* --- packing ------------------------------------------------------------------------------ */

static void on_said(void *ctx, struct str bytes)
{
    struct collect *c = ctx;

    buf_addstr(&c->said, bytes);
}

/* "<bytes> <files>". */
static bool read_receipt(struct collect *c)
{
    struct str rest = str_trim(buf_str(&c->said)), bytes = {0}, files = {0};

    return str_next(&rest, ' ', &bytes) && str_next(&rest, ' ', &files) &&
           str_int(bytes, COLLECT_MAX_BYTES, &c->bytes) &&
           str_int(files, COLLECT_MAX_FILES, &c->files) && c->files > 0;
}

static void on_packed(void *ctx, int64_t exit_code, const struct err *e)
{
    struct collect *c = ctx;
    struct err why = *e;

    c->stream = NULL;
    if (why.code == ERR_OK && exit_code == 0 && read_receipt(c)) {
        c->tries = 0;
        carry(c);
        return;
    }
    if (why.code == ERR_OK && exit_code == EXIT_NOTHING)
        (void)err_set(&why, ERR_NOT_FOUND, "no file is there that its globs name");
    else if (why.code == ERR_OK && exit_code == EXIT_TOO_BIG)
        (void)err_set(&why, ERR_TOO_BIG, "over 256 MiB, 1 GiB unpacked, or %d files",
                      COLLECT_MAX_FILES);
    else if (why.code == ERR_OK)
        (void)err_set(&why, ERR_IO, "it cannot be packed (exit status %d)", (int)exit_code);
    again(c, pack, &why);
}

static void run_job(struct collect *c)
{
    static const char script[] = "cd -- \"$HOME/$1\" && exec sh \"./$2\"";
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_packed};
    char job[NAME_ROOM];
    const char *const args[] = {"-c", script, "sh", c->dir, name_of(c, "collect", job), NULL};
    struct err e;

    buf_clear(&c->said);
    if (envd_run(c->envd, &(struct envd_command){.cmd = "/bin/sh", .args = args}, &ev, c,
                 &c->stream, &e) != ERR_OK)
        again(c, pack, &e);
}

static void on_job_put(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct collect *c = ctx;

    (void)a;
    c->call = NULL;
    if (e->code == ERR_OK)
        run_job(c);
    else
        again(c, pack, e);
}

/* A value's backslash becomes two characters; it has no newline. */
static void put_value(struct buf *job, const char *name, struct str value)
{
    buf_addf(job, "%s ", name);
    for (size_t i = 0; i < value.n; i++)
        buf_addf(job, value.p[i] == '\\' ? "\\%c" : "%c", value.p[i]);
    buf_addc(job, '\n');
}

static void write_job(const struct collect *c, struct buf *job)
{
    char name[NAME_ROOM];
    const cJSON *glob;

    buf_add(job, collect_sh, collect_sh_len);
    put_value(job, "work", str_of(c->want.request->working_dir));
    put_value(job, "archive", str_of(name_of(c, "archive", name)));
    buf_addf(job, "max_bytes %d\nmax_files %d\nmax_unpacked %" PRId64 "\n", COLLECT_MAX_BYTES,
             COLLECT_MAX_FILES, COLLECT_MAX_UNPACKED);
    cJSON_ArrayForEach(glob, run_globs_of(c->want.request))
    {
        AUTO_BUF regex = BUF_INIT(16 * RUN_GLOB_MAX_BYTES);

        glob_regex(str_of(glob->valuestring), &regex);
        put_value(job, "match", buf_str(&regex));
    }
}

static void pack(struct collect *c)
{
    AUTO_BUF job = BUF_INIT(JOB_MAX_BYTES);
    char name[NAME_ROOM], path[PATH_ROOM];
    struct err e = ERR_INIT;

    c->packs++;
    write_job(c, &job);
    (void)path_of(c, name_of(c, "collect", name), path);
    if (job.rc != ERR_OK)
        (void)err_set(&e, job.rc, "the globs");
    if (e.code != ERR_OK || envd_put(c->envd, path, buf_str(&job), on_job_put, c, &c->call, &e))
        again(c, pack, &e);
}

/* --- one behind the other ------------------------------------------------------------------ */

static const char archive_name[] = "artifacts.tar.gz", output_name[] = "output.ndjson";

static void begin(struct collect *c)
{
    struct err e;

    if (!c->store) {
        (void)err_set(&e, ERR_CONFIG, "this worker has no artifact store (--artifacts)");
        c->ev.failed(c->ctx, c->name, &e);
        next_artifact(c);
    } else if (c->name == archive_name) {
        pack(c);
    } else {
        c->files = 0;
        c->bytes = c->want.output_bytes;
        carry(c);
    }
}

static void next_artifact(struct collect *c)
{
    c->tries = 0;
    if (!c->name && run_globs_of(c->want.request))
        c->name = archive_name;
    else if (c->name != output_name && c->want.output)
        c->name = output_name;
    else
        c->name = NULL;
    later(c, c->name ? begin : finish, 0);
}

enum err_code collect_start(struct store *store, struct sandbox *sb,
                            const struct collect_want *want, const struct collect_events *ev,
                            void *ctx, struct collect **out, struct err *err)
{
    struct collect *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(err, ERR_NOMEM, "the artifacts");
    *c = (struct collect){.store = store,
                          .envd = sandbox_envd(sb),
                          .loop = sandbox_loop(sb),
                          .want = *want,
                          .ev = *ev,
                          .ctx = ctx,
                          .backoff = BACKOFF_INIT(200, 5000),
                          .said = BUF_INIT(SAID_MAX_BYTES)};
    (void)snprintf(c->dir, sizeof(c->dir), ".sandfleet/%s/%" PRId64, want->run_id, want->attempt);
    c->timer = timer_new(c->loop, on_timer, c);
    c->limit = timer_new(c->loop, on_limit, c);
    if (!c->timer || !c->limit) {
        collect_free(c);
        return err_set(err, ERR_NOMEM, "the artifacts");
    }
    timer_start(c->limit, COLLECT_MAX_MS);
    next_artifact(c);
    *out = c;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet submit`: one prompt, or a file of them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/uuid.h"
#include "common/clock.h"
#include "producer/batch_file.h"
#include "producer/prompt_input.h"
#include "producer/submitter.h"
#include "producer/terminal.h"
#include "common/banned.h"

enum { BAD_SHOWN = 20, PROGRESS_MS = 100 };

struct job { /* one call of submit */
    struct client *client;
    struct topics topics;
    struct loop *loop;
    struct submitter *submitter;
    struct request_defaults defaults;
    struct batch_counts counts;
    int64_t bad_shown;
    bool progress; /* a terminal to show it on */
    int64_t shown_ms;
    bool gone;      /* nobody reads standard output any more */
    struct err put; /* a failure to write the ids */
};

static void show_progress(struct job *j, bool last)
{
    int64_t now = clock_boot_ms();

    if (!j->progress || (!last && now - j->shown_ms < PROGRESS_MS))
        return;
    j->shown_ms = now;
    fprintf(stderr, "\r%lld of %lld acknowledged%s", (long long)submitter_acked(j->submitter),
            (long long)j->counts.good, last ? "\n" : "");
}

static void put_receipt(const struct job *j, const struct submit_receipt *r, struct buf *line)
{
    if (j->client->output == OUTPUT_TEXT) {
        buf_adds(line, r->run_id);
        if (r->custom_id)
            buf_addf(line, "\t%s", r->custom_id);
    } else {
        buf_addc(line, '{');
        json_kv(line, "run_id", r->run_id);
        json_kv(line, "custom_id", r->custom_id);
        json_kv(line, "batch_id", j->defaults.batch_id);
        json_kv(line, "topic", r->topic);
        json_kv_int(line, "partition", r->partition);
        json_kv_int(line, "offset", r->offset);
        buf_addc(line, '}');
    }
    buf_addc(line, '\n');
}

static void on_acked(void *ctx, const struct submit_receipt *r)
{
    struct job *j = ctx;
    AUTO_BUF line = BUF_INIT(4096);

    put_receipt(j, r, &line);
    if (j->put.code == ERR_OK)
        client_put(line.p, line.len, &j->gone, &j->put);
    show_progress(j, false);
}

static const struct submit_events submit_events = {.acked = on_acked};

static enum err_code parse_lane(const struct client *c, enum run_lane *lane, struct err *err)
{
    *lane = c->file ? LANE_BATCH : LANE_INTERACTIVE;
    if (!c->lane)
        return ERR_OK;
    for (int i = 0; i < LANES; i++)
        if (strcmp(c->lane, run_lane_name((enum run_lane)i)) == 0) {
            *lane = (enum run_lane)i;
            return ERR_OK;
        }
    return err_set(err, ERR_USAGE, "--lane is interactive or batch, not '%.40s'", c->lane);
}

static enum err_code job_open(struct job *j, struct err *err)
{
    struct kafka_admin *admin = NULL;

    if (client_connect(j->client, &j->topics, &admin, err) != ERR_OK)
        return err->code;
    kafka_admin_free(admin);
    if (loop_new(&j->loop, err) != ERR_OK)
        return err->code;
    return submitter_new(j->loop, j->client, &j->topics, &submit_events, j, &j->submitter, err);
}

static void job_close(struct job *j)
{
    submitter_free(j->submitter);
    if (j->loop)
        loop_free(j->loop);
    topics_release(&j->topics);
}

/* Behind the last request: all acknowledged, and the ids really written. */
static enum err_code job_finish(struct job *j, struct err *err)
{
    enum err_code rc = submitter_finish(j->submitter, err);

    show_progress(j, true);
    if (rc == ERR_OK && j->put.code != ERR_OK) {
        *err = j->put;
        return err_wrap(err, "the runs are submitted, but their ids were lost");
    }
    return rc;
}

/* --- one prompt ---------------------------------------------------------- */

static enum err_code submit_one(struct job *j, int n, char **words, struct err *err)
{
    struct run_request r = RUN_REQUEST_INIT;
    enum run_lane lane;
    AUTO_BUF prompt = BUF_INIT(RUN_PROMPT_MAX_BYTES);

    if (parse_lane(j->client, &lane, err) != ERR_OK ||
        prompt_read(j->client, n, words, &prompt, err) != ERR_OK ||
        request_from_flags(&j->defaults, buf_str(&prompt), &r, err) != ERR_OK)
        return err->code;
    j->counts.good = 1;
    if (job_open(j, err) == ERR_OK && submitter_send(j->submitter, &r, lane, err) == ERR_OK)
        job_finish(j, err);
    run_request_release(&r);
    return err->code;
}

/* --- a file -------------------------------------------------------------- */

static void on_bad(void *ctx, int64_t line, const struct err *e)
{
    struct job *j = ctx;

    if (j->bad_shown++ < BAD_SHOWN)
        client_note("%s:%lld: %s", j->client->file, (long long)line, e->msg);
}

/* The whole file first: nothing is sent while a line is broken. */
static enum err_code check_file(struct job *j, struct batch_file *f, struct err *err)
{
    const struct client *c = j->client;

    if (batch_file_check(f, &j->defaults, on_bad, j, &j->counts, err) != ERR_OK)
        return err->code;
    if (j->counts.bad > BAD_SHOWN)
        client_note("… and %lld more bad lines", (long long)(j->counts.bad - BAD_SHOWN));
    if (j->counts.duplicates)
        client_note("%lld lines repeat an earlier custom_id with the same content: one run each",
                    (long long)j->counts.duplicates);
    if (j->counts.bad && !c->skip_invalid)
        return err_set(err, ERR_INVALID,
                       "%lld of %lld lines of '%s' are bad; nothing was submitted "
                       "(--skip-invalid submits the others)",
                       (long long)j->counts.bad, (long long)j->counts.lines, c->file);
    return ERR_OK;
}

static enum err_code send_file(struct job *j, struct batch_file *f, enum run_lane lane,
                               struct err *err)
{
    for (;;) {
        struct run_request r;
        int64_t line;

        if (batch_file_next(f, &j->defaults, &r, &line, err) != ERR_OK)
            return err->code;
        if (!r.run_id)
            return job_finish(j, err);
        enum err_code rc = submitter_send(j->submitter, &r, lane, err);
        run_request_release(&r);
        if (rc != ERR_OK)
            return err_wrap(err, "line %lld", (long long)line);
    }
}

static enum err_code submit_file(struct job *j, struct err *err)
{
    struct batch_file *f = NULL;
    enum run_lane lane;
    char name[UUID_TEXT];

    uuid_v7(clock_wall_ms(), name);
    j->defaults.batch_id = j->client->batch ? j->client->batch : name;
    if (parse_lane(j->client, &lane, err) != ERR_OK ||
        batch_file_open(j->client->file, &f, err) != ERR_OK)
        return err->code;
    if (check_file(j, f, err) != ERR_OK) {
        batch_file_close(f);
        return err->code;
    }
    enum err_code rc = ERR_OK; /* err itself may still tell of a full queue that has emptied */
    if (j->counts.good == 0) {
        client_note("0 submitted: '%s' holds no prompt", j->client->file);
    } else {
        rc = job_open(j, err);
        if (rc == ERR_OK)
            rc = send_file(j, f, lane, err);
        if (rc == ERR_OK && !j->client->quiet)
            client_note("batch %s: %lld submitted", j->defaults.batch_id,
                        (long long)submitter_acked(j->submitter));
    }
    batch_file_close(f);
    return rc;
}

int command_submit(struct client *c, int n, char **words)
{
    struct job j = {.client = c,
                    .defaults = {.flags = c},
                    .progress = c->file && !c->quiet && terminal_of(STDERR_FILENO).interactive &&
                                !isatty(STDOUT_FILENO),
                    .put = ERR_INIT};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (c->file && (n > 0 || c->prompt || c->prompt_file || c->custom_id || c->idempotency_key))
        rc = err_set(&err, ERR_USAGE, "--file brings its own prompts and names: give only that");
    else if (!c->file && (c->batch || c->skip_invalid))
        rc = err_set(&err, ERR_USAGE, "--batch and --skip-invalid go with --file");
    else
        rc = c->file ? submit_file(&j, &err) : submit_one(&j, n, words, &err);
    job_close(&j);
    return rc == ERR_OK ? 0 : client_fail(&err);
}

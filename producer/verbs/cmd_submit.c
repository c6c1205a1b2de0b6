/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet submit`: one prompt; a file of them is a batch. */
#include <string.h>

#include "common/json/json.h"
#include "producer/batch/batch_client.h"
#include "producer/prompt_input.h"
#include "producer/request_build.h"
#include "producer/submitter.h"
#include "common/banned.h"

struct job { /* one call of submit */
    struct client *client;
    struct topics topics;
    struct loop *loop;
    struct submitter *submitter;
    struct request_defaults defaults;
    bool gone;      /* nobody reads standard output any more */
    struct err put; /* a failure to write the ids */
};

static void put_receipt(const struct job *j, const struct submit_receipt *r, struct buf *line)
{
    if (j->client->output == OUTPUT_TEXT) {
        buf_adds(line, r->run_id);
        if (r->custom_id.n)
            buf_addf(line, "\t" STR_FMT, STR_ARG(r->custom_id));
    } else {
        buf_addc(line, '{');
        json_kv(line, "run_id", r->run_id);
        if (r->custom_id.n)
            json_kv_str(line, "custom_id", r->custom_id);
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
}

static const struct submit_events submit_events = {.acked = on_acked};

enum err_code client_lane(const struct client *c, enum run_lane otherwise, enum run_lane *out,
                          struct err *err)
{
    *out = otherwise;
    if (!c->lane)
        return ERR_OK;
    for (int i = 0; i < LANES; i++)
        if (strcmp(c->lane, run_lane_name((enum run_lane)i)) == 0) {
            *out = (enum run_lane)i;
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
    return submitter_new(j->loop, j->client, &j->topics, false, &submit_events, j, &j->submitter,
                         err);
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

    if (rc == ERR_OK && j->put.code != ERR_OK) {
        *err = j->put;
        return err_wrap(err, "the runs are submitted, but their ids were lost");
    }
    return rc;
}

static enum err_code submit_one(struct job *j, int n, char **words, struct err *err)
{
    struct run_request r = RUN_REQUEST_INIT;
    enum run_lane lane;
    AUTO_BUF prompt = BUF_INIT(RUN_PROMPT_MAX_BYTES);

    if (client_lane(j->client, LANE_INTERACTIVE, &lane, err) != ERR_OK ||
        prompt_read(j->client, n, words, &prompt, err) != ERR_OK ||
        request_from_flags(&j->defaults, buf_str(&prompt), &r, err) != ERR_OK)
        return err->code;
    if (job_open(j, err) == ERR_OK && submitter_send(j->submitter, &r, lane, err) == ERR_OK)
        job_finish(j, err);
    run_request_release(&r);
    return err->code;
}

int command_submit(struct client *c, int n, char **words)
{
    const struct batch_client *b = (const struct batch_client *)c;
    struct job j = {.client = c, .defaults = {.flags = c}, .put = ERR_INIT};
    struct err err = ERR_INIT;
    bool file = c->file || b->data || b->prompt_template;

    if (file && (n > 0 || c->prompt || c->prompt_file || c->custom_id || c->idempotency_key)) {
        err_set(&err, ERR_USAGE, "--file brings its own prompts and names: give only that");
        return client_fail(&err);
    }
    if (!file && (c->batch || c->skip_invalid || strcmp(b->format, "auto") != 0)) {
        err_set(&err, ERR_USAGE, "--batch, --format and --skip-invalid go with --file");
        return client_fail(&err);
    }
    if (file)
        return command_batch_submit(c, n, words);
    enum err_code rc = submit_one(&j, n, words, &err);
    job_close(&j);
    return rc == ERR_OK ? EXIT_OK : client_fail(&err);
}

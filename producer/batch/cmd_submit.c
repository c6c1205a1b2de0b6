/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch submit`: all of a file is checked, then all of it is sent. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "producer/batch/check.h"
#include "producer/batch/packer.h"
#include "producer/submitter.h"
#include "common/banned.h"

enum {
    BAD_SHOWN = 100,
    TELL_EVERY = 16, /* parcels between two looks at what was acknowledged */
    FLUSH_BYTES = 32 << 10,
    KEEP_BYTES = 16 << 20,
    DRAIN_MS = 100,
    CONNECT_MS = 10000,
    LAST_MS = 5000 /* for what is under way when somebody interrupts */
};

struct job {
    const struct batch_client *client;
    struct batch_file *file;
    struct batch_counts counts;
    struct topics topics;
    struct kafka_admin *admin;
    struct loop *loop;
    struct submitter *submitter;
    struct packer *packer;
    struct meter meter;
    bool receipts; /* are written: not to a person's terminal */
    struct buf out;
    bool gone;      /* nobody reads standard output any more */
    struct err put; /* a failure to write the ids */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* --- what was acknowledged ------------------------------------------------ */

static void put_receipt(const struct job *j, const struct submit_receipt *r, struct buf *b)
{
    if (j->client->client.output == OUTPUT_TEXT) {
        buf_add(b, r->run_id, strlen(r->run_id));
        buf_addc(b, '\t');
        buf_addstr(b, r->custom_id);
    } else {
        buf_addc(b, '{');
        json_kv(b, "run_id", r->run_id);
        json_kv_str(b, "custom_id", r->custom_id);
        json_kv(b, "batch_id", batch_file_name(j->file));
        json_kv_int(b, "line", r->line);
        json_kv(b, "topic", r->topic);
        json_kv_int(b, "partition", r->partition);
        json_kv_int(b, "offset", r->offset);
        buf_addc(b, '}');
    }
    buf_addc(b, '\n');
}

static void flush(struct job *j)
{
    if (j->put.code == ERR_OK && j->out.len > 0)
        client_put(j->out.p, j->out.len, &j->gone, &j->put);
    buf_clear(&j->out);
}

static void on_acked(void *ctx, const struct submit_receipt *r)
{
    struct job *j = ctx;

    if (!j->receipts || j->gone)
        return;
    put_receipt(j, r, &j->out);
    if (j->out.len > FLUSH_BYTES)
        flush(j);
}

static void on_returned(void *ctx, struct parcel *p)
{
    struct job *j = ctx;

    packer_give_back(j->packer, p);
}

static const struct submit_events submit_events = {.acked = on_acked, .returned = on_returned};

static void tell(struct job *j)
{
    flush(j);
    meter_at(&j->meter, submitter_acked(j->submitter), j->counts.good);
}

/* --- checking ------------------------------------------------------------- */

static void on_bad(void *ctx, const struct batch_problem *p)
{
    struct job *j = ctx;
    AUTO_BUF text = BUF_INIT(8192);

    j->counts.bad++;
    if (j->counts.bad > BAD_SHOWN)
        return;
    batch_problem_text(batch_file_path(j->file), p, &text);
    meter_end(&j->meter);
    client_note(STR_FMT, STR_ARG(buf_str(&text)));
}

static void on_going(void *ctx, const struct batch_counts *counts)
{
    struct job *j = ctx;

    meter_at(&j->meter, counts->lines, 0);
}

static const struct batch_check_events check_events = {.bad = on_bad, .going = on_going};

/* The whole file first: nothing is sent while a line is broken. */
static enum err_code check(struct job *j, struct err *err)
{
    const struct client *c = &j->client->client;

    meter_begin(&j->meter, "lines checked", 0, c->quiet);
    enum err_code rc = batch_file_check(j->file, &check_events, j, &j->counts, err);
    meter_end(&j->meter);
    if (rc != ERR_OK)
        return rc;
    if (j->counts.bad > BAD_SHOWN)
        client_note("… and %lld more bad lines: `sandfleet batch validate` tells all",
                    (long long)(j->counts.bad - BAD_SHOWN));
    if (!c->quiet)
        batch_counts_notes(&j->counts);
    if (j->counts.bad && !c->skip_invalid)
        return err_set(err, ERR_INVALID,
                       "%lld of %lld lines of '%s' are bad; nothing was submitted "
                       "(--skip-invalid submits the others)",
                       (long long)j->counts.bad, (long long)j->counts.lines,
                       batch_file_path(j->file));
    return ERR_OK;
}

/* --- sending -------------------------------------------------------------- */

/* Before the file is checked, so that connecting costs no time of its own. */
static enum err_code open_kafka(struct job *j, struct err *err)
{
    const struct client *c = &j->client->client;
    struct kafka_conf conf = client_kafka(c);

    if (topics_load(c->prefix, &j->topics, err) != ERR_OK ||
        kafka_admin_new(&conf, &j->admin, err) != ERR_OK || loop_new(&j->loop, err) != ERR_OK)
        return err->code;
    return submitter_new(j->loop, c, &j->topics, true, &submit_events, j, &j->submitter, err);
}

static enum err_code check_topic(struct job *j, enum run_lane lane, int32_t *partitions,
                                 struct err *err)
{
    const char *topic = j->topics.name[topic_of_lane(lane)];

    if (kafka_admin_partitions(j->admin, topic, CONNECT_MS, partitions, err) != ERR_OK)
        return err->code;
    if (*partitions == 0)
        return err_set(err, ERR_CONFIG, "topic '%s' does not exist: run `sandfleet topics apply`",
                       topic);
    return ERR_OK;
}

static enum err_code send_lines(struct job *j, enum run_lane lane, struct err *err)
{
    struct parcel *parcel;
    int64_t n = 0;

    while (!interrupted) {
        if (packer_take(j->packer, &parcel, err) != ERR_OK)
            return err->code;
        if (!parcel)
            return ERR_OK;
        if (submitter_put(j->submitter, parcel, lane, err) != ERR_OK)
            return err->code;
        if (++n % TELL_EVERY == 0)
            tell(j);
    }
    return ERR_OK;
}

/* Until all that was sent is acknowledged; not for long when somebody waits for the end. */
static enum err_code finish(struct job *j, struct err *err)
{
    int64_t began = clock_boot_ms();
    bool all = false;

    while (!all) {
        if (submitter_drain(j->submitter, DRAIN_MS, &all, err) != ERR_OK)
            return err->code;
        tell(j);
        if (interrupted && clock_boot_ms() - began > LAST_MS)
            break;
    }
    return ERR_OK;
}

/* From here on an interruption is told with what was submitted; a second one ends it at once.
 * Before that nothing was sent, and the first one does: it may wait for standard input. */
static void heed_signals(void)
{
    struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &once, NULL);
    (void)sigaction(SIGTERM, &once, NULL);
}

/* What was acknowledged stays so, whatever comes after. */
static enum err_code send_all(struct job *j, enum run_lane lane, int32_t partitions,
                              struct err *err)
{
    struct err end = ERR_INIT;

    heed_signals();
    if (packer_new(j->file, partitions, &j->packer, err) != ERR_OK)
        return err->code;

    meter_begin(&j->meter, "submitted", 0, j->client->client.quiet);
    enum err_code rc = send_lines(j, lane, err);
    if (finish(j, &end) != ERR_OK && rc == ERR_OK) {
        *err = end;
        rc = end.code;
    }
    meter_end(&j->meter);
    flush(j);
    int64_t acked = submitter_acked(j->submitter);
    if (rc == ERR_OK && j->put.code != ERR_OK) {
        *err = j->put;
        rc = err_wrap(err, "the runs are submitted, but their ids were lost");
    } else if (rc != ERR_OK || (interrupted && acked < j->counts.good)) {
        client_note("batch %s: %lld of %lld submitted; the same command goes on, and doubles "
                    "nothing",
                    batch_file_name(j->file), (long long)acked, (long long)j->counts.good);
        if (rc == ERR_OK)
            rc = err_set(err, ERR_CANCELLED, "interrupted");
    }
    return rc;
}

static void put_summary(struct job *j)
{
    struct buf *b = &j->out;

    if (j->client->client.output == OUTPUT_JSON) {
        buf_addc(b, '{');
        json_kv(b, "batch_id", batch_file_name(j->file));
        json_kv_int(b, "submitted", j->submitter ? submitter_acked(j->submitter) : 0);
        batch_counts_json(b, &j->counts);
        buf_adds(b, "}\n");
        flush(j);
    }
    if (j->client->client.quiet || j->counts.good == 0)
        return;
    if (j->counts.bad)
        client_note("%lld bad lines were left out", (long long)j->counts.bad);
    client_note("batch %s: %lld submitted; `sandfleet batch watch %s` shows how far it is",
                batch_file_name(j->file), (long long)submitter_acked(j->submitter),
                batch_file_name(j->file));
    if (!j->client->client.batch)
        client_note("the same again is the same batch and doubles nothing; --batch NAME makes "
                    "another");
}

static enum err_code submit(struct job *j, int n, char **words, struct err *err)
{
    enum run_lane lane;

    if (client_lane(&j->client->client, LANE_BATCH, &lane, err) != ERR_OK ||
        batch_open(j->client, n, words, &j->file, err) != ERR_OK || open_kafka(j, err) != ERR_OK ||
        check(j, err) != ERR_OK)
        return err->code;
    if (j->counts.good == 0) {
        client_note("0 submitted: '%s' holds no prompt", batch_file_path(j->file));
    } else {
        int32_t partitions;
        enum err_code rc = check_topic(j, lane, &partitions, err);

        if (rc == ERR_OK)
            rc = send_all(j, lane, partitions, err);
        if (rc != ERR_OK)
            return rc;
    }
    put_summary(j);
    if (j->put.code != ERR_OK)
        *err = j->put;
    return j->put.code;
}

/* Each request that librdkafka makes has a buffer of a megabyte, which malloc would fetch from the
 * system and give back each time, all its pages anew. */
static void keep_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * KEEP_BYTES);
}

int command_batch_submit(struct client *c, int n, char **words)
{
    struct job j = {.client = (const struct batch_client *)c,
                    .receipts = c->output == OUTPUT_JSONL ||
                                (c->output == OUTPUT_TEXT && !isatty(STDOUT_FILENO)),
                    .out = BUF_INIT(1 << 20),
                    .put = ERR_INIT};
    struct err err = ERR_INIT;

    keep_memory();
    enum err_code rc = submit(&j, n, words, &err);
    submitter_free(j.submitter);
    packer_free(j.packer);
    kafka_admin_free(j.admin);
    if (j.loop)
        loop_free(j.loop);
    topics_release(&j.topics);
    batch_file_close(j.file);
    buf_release(&j.out);
    return rc == ERR_OK ? EXIT_OK : client_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

/* --- ready ------------------------------------------------------------------- */

static void on_claimed(void *ctx, const int64_t claimed[LANES])
{
    fleet_claimed(ctx, claimed);
}

static void on_rejected(void *ctx)
{
    fleet_work_outbox(ctx);
}

static void on_intake_failed(void *ctx, const struct err *e)
{
    fleet_fatal(ctx, "intake.failed", e);
}

static enum err_code start_intake(struct fleet *f, struct err *err)
{
    static const struct intake_events events = {
        .claimed = on_claimed, .rejected = on_rejected, .failed = on_intake_failed};
    char group[128];

    snprintf(group, sizeof(group), "%sworkers", f->set->prefix);
    struct intake_opts opts = {.kafka = f->kafka,
                               .group = group,
                               .topics = f->topics,
                               .ledger = f->ledger,
                               .producer = publish_hub_producer(f->hub)};
    return intake_new(f->loop, &opts, &events, f, &f->intake, err);
}

void fleet_become_ready(struct fleet *f)
{
    struct err err = ERR_INIT;

    f->ready = true;
    if (!f->stopping && start_intake(f, &err) != ERR_OK) {
        fleet_fatal(f, "intake.failed", &err);
        return;
    }
    log_event(LOG_INFO, "worker.ready", LF("worker", f->worker_id), LF_INT("slots", f->slots.total),
              LF_INT("lease_ms", f->lease.lease_ms));
    timer_start(f->tick, 0);
    timer_start(f->outbox_timer, 0);
    timer_start(f->positions, FLEET_POSITIONS_MS);
    timer_start(f->keep, 0);
    timer_start(f->tell, 0);
}

/* --- timers ------------------------------------------------------------------ */

/* A short lease is looked at more often: two looks further apart than half of it are a silence
 * of the ledger, behind which all waiting starts anew. */
static int64_t tick_ms(const struct fleet *f)
{
    int64_t beat = lease_beat_every_ms(&f->lease);
    return beat < FLEET_TICK_MS ? beat : FLEET_TICK_MS;
}

static void on_tick(void *ctx)
{
    struct fleet *f = ctx;

    timer_start(f->tick, tick_ms(f));
    fleet_check_lease(f);
    fleet_look_peers(f);
    fleet_look_cancels(f);
}

static void on_beat_timer(void *ctx)
{
    fleet_beat(ctx);
}

static void on_positions(void *ctx)
{
    struct fleet *f = ctx;

    timer_start(f->positions, FLEET_POSITIONS_MS);
    fleet_look_flow(f);
    if (f->muted || loop_now_ms(f->loop) < f->positions_due_ms)
        return;
    f->positions_due_ms = loop_now_ms(f->loop) + (int64_t)f->n_runs / FLEET_POSITIONS_RUNS;
    fleet_save_positions(f);
}

static void on_outbox(void *ctx)
{
    struct fleet *f = ctx;

    timer_start(f->outbox_timer, FLEET_OUTBOX_MS);
    f->reconcile = true;
    fleet_work_outbox(f);
}

static void on_keep(void *ctx)
{
    fleet_keep(ctx);
}

static void on_tell(void *ctx)
{
    fleet_tell(ctx);
}

static void on_drain(void *ctx)
{
    fleet_finish(ctx);
}

int fleet_exit_status(const struct fleet *f)
{
    return f->exit_status;
}

/* --- life -------------------------------------------------------------------- */

static void name_worker(struct fleet *f)
{
    if (gethostname(f->host_name, sizeof(f->host_name) - 1) != 0)
        snprintf(f->host_name, sizeof(f->host_name), "unknown");
    f->pid = getpid();
    snprintf(f->worker_id, sizeof(f->worker_id), "%.40s-%d-%08x", f->host_name, (int)f->pid,
             (unsigned)randombytes_random());
}

static void share(struct fleet *f)
{
    const struct settings *s = f->set;

    f->proxy.only = s->proxy_only;
    f->host = (struct run_host){.loop = f->loop,
                                .ledger = f->ledger,
                                .hub = f->hub,
                                .sandboxes = f->sandboxes,
                                .life = {.ledger_id = f->ledger_id,
                                         .park_ms = s->park_ms,
                                         .cancel_ms = s->cancel_ms,
                                         .pause = s->park_pause,
                                         .update_claude = s->update_claude,
                                         .sizes = &f->sizes},
                                .times = {.heartbeat_ms = s->heartbeat_ms,
                                          .watchdog = {.silence_ms = s->silence_ms,
                                                       .after_tool_result_ms = s->tool_result_ms,
                                                       .after_result_ms = s->result_ms}},
                                .store = f->store,
                                .store_key = s->store_key,
                                .artifacts = f->artifacts,
                                .fetch = &f->fetch,
                                .worker_id = f->worker_id,
                                .keys = f->keys,
                                .base_url = s->base_url,
                                .proxy = s->proxy_credentials ? &f->proxy : NULL,
                                .redactor = f->redactor,
                                .may_publish = fleet_may_publish,
                                .refused = fleet_service_refused,
                                .streams = fleet_run_streams,
                                .gone = fleet_run_gone,
                                .ctx = f};
}

static enum err_code open_sandboxes(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    const struct http_opts http = {.drain_ms = s->drain_delay_ms, .ca_file = s->ca_file};
    struct sandbox_service_opts opts = {.api_url = s->e2b_api_url,
                                        .sandbox_url = s->e2b_sandbox_url,
                                        .domain = s->e2b_domain,
                                        .api_key = s->e2b_api_key,
                                        .fleet = s->fleet,
                                        .http = &http};
    if (!s->e2b_api_key)
        return err_set(err, ERR_CONFIG,
                       "no key of the sandbox service: set E2B_API_KEY, or "
                       "--e2b-api-key-file");
    return sandbox_service_new(f->loop, &opts, &f->sandboxes, err);
}

static enum err_code open_store(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    enum err_code rc =
        s->store && *s->store ? store_new(f->loop, s->store, &f->store, err) : ERR_OK;
    struct sweep_opts sweep = {.loop = f->loop,
                               .ledger = f->ledger,
                               .store = f->store,
                               .every_ms = s->janitor_ms,
                               .keep_ms = s->session_keep_ms,
                               .grace_ms = FLEET_SWEEP_MS};

    if (rc != ERR_OK)
        return rc;
    f->sweep = sweep_new(&sweep);
    return f->sweep ? ERR_OK : err_set(err, ERR_NOMEM, "the sweep of the store");
}

static enum err_code open_web(struct fleet *f, struct err *err)
{
    const struct http_opts http = {.ca_file = f->set->ca_file};
    enum err_code rc = http_new(f->loop, &http, &f->web, err);

    f->fetch = (struct fetch_policy){.loop = f->loop,
                                     .http = f->web,
                                     .allow_private = f->set->allow_private_urls,
                                     .local_files = f->set->local_files};
    return rc;
}

static enum err_code open_artifacts(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    const struct http_opts http = {.ca_file = s->ca_file};
    const struct store_s3_opts s3 = {.where = s->artifacts,
                                     .endpoint = s->s3_endpoint,
                                     .region = s->s3_region,
                                     .key_id = s->s3_key_id,
                                     .key = s->s3_key,
                                     .token = s->s3_token,
                                     .http = &http};

    if (!s->artifacts || !*s->artifacts)
        return ERR_OK;
    return store_is_s3(s->artifacts) ? store_s3_new(f->loop, &s3, &f->artifacts, err)
                                     : store_new(f->loop, s->artifacts, &f->artifacts, err);
}

/* Without any, this worker gets the runs that need no credential. */
static enum err_code open_keys(struct fleet *f, struct err *err)
{
    struct keyring_source from = {.file = f->set->key_file, .command = f->set->key_command};
    enum err_code rc = keyring_open(&from, &f->keys, err);

    if (rc != ERR_OK)
        return rc;
    f->key_ids = BUF_INIT(KEYRING_MAX * (KEY_ID_TEXT + 3) + 3);
    ledger_array_open(&f->key_ids);
    for (size_t i = 0; i < keyring_size(f->keys); i++)
        ledger_array_text(&f->key_ids, keyring_id(f->keys, i));
    ledger_array_close(&f->key_ids);
    return f->key_ids.rc == ERR_OK ? ERR_OK : err_set(err, f->key_ids.rc, "the master keys");
}

static enum err_code open_hub(struct fleet *f, struct err *err)
{
    struct publish_opts opts = {.kafka = f->kafka,
                                .topic = f->topics->name[TOPIC_EVENTS],
                                .fatal = fleet_publish_failed,
                                .ctx = f};
    return publish_hub_new(f->loop, &opts, &f->hub, err);
}

static enum err_code open_keeping(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    struct pool_opts pool = {.loop = f->loop,
                             .ledger = f->ledger,
                             .sandboxes = f->sandboxes,
                             .sizes = &f->sizes,
                             .worker_id = f->worker_id,
                             .ledger_id = f->ledger_id,
                             .warm_age_ms = s->warm_age_ms,
                             .update_claude = s->update_claude,
                             .calm_ms = FLEET_CALM_MS};
    struct janitor_opts janitor = {.loop = f->loop,
                                   .ledger = f->ledger,
                                   .sandboxes = f->sandboxes,
                                   .sizes = &f->sizes,
                                   .ledger_id = f->ledger_id,
                                   .every_ms = s->janitor_ms,
                                   .grace_ms = s->janitor_grace_ms};
    enum err_code rc = pool_targets_parse(&s->warm, &f->pool_targets, err);

    if (rc != ERR_OK)
        return rc;
    pool.targets = f->pool_targets;
    f->pool = pool_new(&pool);
    f->janitor = janitor_new(&janitor);
    return f->pool && f->janitor ? ERR_OK : err_set(err, ERR_NOMEM, "the pool and the janitor");
}

static enum err_code make_timers(struct fleet *f, struct err *err)
{
    f->tick = timer_new(f->loop, on_tick, f);
    f->beat = timer_new(f->loop, on_beat_timer, f);
    f->positions = timer_new(f->loop, on_positions, f);
    f->outbox_timer = timer_new(f->loop, on_outbox, f);
    f->drain = timer_new(f->loop, on_drain, f);
    f->keep = timer_new(f->loop, on_keep, f);
    f->tell = timer_new(f->loop, on_tell, f);
    if (!f->tell || !f->keep || !f->tick || !f->beat || !f->positions || !f->outbox_timer ||
        !f->drain)
        return err_set(err, ERR_NOMEM, "the worker's timers");
    timer_start(f->beat, lease_beat_every_ms(&f->lease));
    return ERR_OK;
}

static enum err_code open_all(struct fleet *f, struct err *err)
{
    enum err_code rc = make_timers(f, err);
    if (rc == ERR_OK)
        rc = open_sandboxes(f, err);
    if (rc == ERR_OK)
        rc = open_web(f, err);
    if (rc == ERR_OK)
        rc = open_artifacts(f, err);
    if (rc == ERR_OK)
        rc = fleet_open_redactor(f, err);
    if (rc == ERR_OK)
        rc = open_keys(f, err);
    if (rc == ERR_OK)
        rc = open_hub(f, err);
    if (rc == ERR_OK)
        rc = fleet_open_ledger(f, err);
    if (rc == ERR_OK)
        rc = open_keeping(f, err);
    if (rc == ERR_OK)
        rc = open_store(f, err);
    if (rc != ERR_OK)
        return rc;
    share(f);
    f->outbox = outbox_new(&f->host);
    f->teller = teller_new(f->ledger, f->hub);
    return f->outbox && f->teller ? fleet_open_pages(f, err)
                                  : err_set(err, ERR_NOMEM, "the outbox");
}

enum err_code fleet_new(struct loop *l, const struct settings *s, const struct topics *t,
                        const struct kafka_conf *kafka, struct fleet **out, struct err *err)
{
    struct fleet *f = calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ERR_NOMEM, "the worker");

    *f = (struct fleet){.loop = l, .set = s, .topics = t, .kafka = kafka};
    f->slots.total = s->slots;
    f->sizes.rates =
        (struct sandbox_rates){.cpu_hour = s->e2b_cpu_usd_hour, .gib_hour = s->e2b_gib_usd_hour};
    lease_init(&f->lease, s->lease_ms);
    name_worker(f);
    enum err_code rc = open_all(f, err);
    if (rc != ERR_OK) {
        fleet_free(f);
        return rc;
    }
    *out = f;
    return ERR_OK;
}

/* Services first: what they would still answer finds nobody. Runs before the hub, whose
 * logs they hold. */
void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    fleet_close_pages(f);
    intake_stop(f->intake);
    ledger_free(f->ledger);
    fleet_forget_takings(f);
    fleet_forget_savings(f);
    sandbox_service_free(f->sandboxes);
    for (size_t i = 0; i < f->n_runs; i++)
        run_free(f->runs[i]);
    http_free(f->web);
    store_free(f->artifacts);
    pool_free(f->pool);
    janitor_free(f->janitor);
    sweep_free(f->sweep);
    store_free(f->store);
    outbox_free(f->outbox);
    teller_free(f->teller);
    publish_hub_free(f->hub);
    intake_free(f->intake);
    timer_free(f->tick);
    timer_free(f->beat);
    timer_free(f->positions);
    timer_free(f->outbox_timer);
    timer_free(f->drain);
    timer_free(f->keep);
    timer_free(f->tell);
    lease_release(&f->lease);
    keyring_free(f->keys);
    buf_release(&f->key_ids);
    redactor_free(f->redactor);
    run_index_release(&f->index);
    free(f->runs);
    free(f);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sandfleet-worker: takes run requests, drives sandboxes, publishes what happens there. */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/log.h"
#include "common/process.h"
#include "common/std_fds.h"
#include "common/loop.h"
#include "worker/fleet/fleet.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum {
    CHECK_MS = 5000,
    FILES_A_SLOT = 4, /* its stream, calls beside it, connections that are kept */
    FILES_BESIDE = 256
};

static void on_stop(void *ctx, int count)
{
    fleet_stop(ctx, count);
}

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static enum err_code check_once(const struct topics *t, const struct kafka_conf *kafka,
                                struct err *err)
{
    struct kafka_admin *admin = NULL;
    enum err_code rc = kafka_admin_new(kafka, &admin, err);

    if (rc == ERR_OK)
        rc = topics_check(t, admin, CHECK_MS, err);
    kafka_admin_free(admin);
    return rc;
}

/* Told to go before there is a loop to tell it to: no run is ours yet, and nobody waits for us. */
static void on_early_stop(int signum)
{
    static const char text[] = "sandfleet-worker: told to stop before it began\n";

    (void)signum;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(0);
}

static void stop_early(void)
{
    const struct sigaction sa = {.sa_handler = on_early_stop};

    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
}

/* Waits for the brokers as long as it takes; a missing topic is for somebody to mend. */
static enum err_code check_topics(const struct topics *t, const struct kafka_conf *kafka,
                                  struct err *err)
{
    struct backoff backoff = BACKOFF_INIT(500, 10000);

    for (;;) {
        enum err_code rc = check_once(t, kafka, err);
        if (err_action(rc) != ERR_DO_RETRY)
            return rc;
        log_event(LOG_WARN, "kafka.down", LF_ERR(err),
                  LF("next", "check that Kafka runs and --brokers names it; trying again"));
        sleep_ms(backoff_next_ms(&backoff));
    }
}

static enum err_code serve(const struct settings *s, const struct topics *t,
                           const struct kafka_conf *kafka, int *status, struct err *err)
{
    struct loop *loop = NULL;
    struct fleet *fleet = NULL;
    enum err_code rc = loop_new(&loop, err);

    if (rc == ERR_OK)
        rc = seen_init(err);
    if (rc == ERR_OK)
        rc = fleet_new(loop, s, t, kafka, &fleet, err);
    if (rc == ERR_OK)
        rc = loop_on_stop(loop, on_stop, fleet, err);
    if (rc == ERR_OK) {
        loop_run(loop);
        *status = fleet_exit_status(fleet);
    }
    fleet_free(fleet);
    loop_free(loop);
    seen_release();
    return rc;
}

static enum err_code run_worker(const struct settings *s, int *status, struct err *err)
{
    struct kafka_conf kafka = {.brokers = s->brokers,
                               .client_id = "sandfleet-worker",
                               .file = s->kafka_config,
                               .props = &s->kafka_props};
    struct topics topics = {0};
    enum err_code rc = process_need_files(FILES_A_SLOT * s->slots + FILES_BESIDE, err);

    stop_early(); /* until the loop listens */
    if (rc == ERR_OK)
        rc = topics_load(s->prefix, &topics, err);
    if (rc == ERR_OK)
        rc = check_topics(&topics, &kafka, err);
    if (rc == ERR_OK)
        rc = serve(s, &topics, &kafka, status, err);
    topics_release(&topics);
    return rc;
}

/* True when a flag asked for words only. */
static bool tell(const struct settings *s)
{
    if (s->common.help)
        settings_help(stdout);
    else if (s->common.version)
        puts("sandfleet-worker " SF_VERSION);
    else if (s->common.print_config)
        settings_print(s, stdout);
    return program_asked(&s->common);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    struct err err = ERR_INIT;
    int status = 0;

    std_fds_hold();
    enum err_code rc = secret_init(&err);

    if (rc == ERR_OK)
        rc = settings_parse(&s, argc, argv, &err);
    if (rc == ERR_OK && !tell(&s))
        rc = run_worker(&s, &status, &err);
    if (rc != ERR_OK) {
        fprintf(stderr, "sandfleet-worker: %s\n", err.msg);
        status = err_exit_status(rc);
    }
    settings_release(&s);
    return status;
}

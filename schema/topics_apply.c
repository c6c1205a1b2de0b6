/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of a real cluster against those of topics.yaml. */
#include "schema/topics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/banned.h"

enum { ADMIN_MS = 15000 };

struct apply {
    const struct topics *t;
    struct kafka_admin *admin;
    bool repartition;
    bool only_compare; /* changes nothing, and says nothing of what is as it should be */
    FILE *out;
};

/* --- settings ----------------------------------------------------------------- */

/* Kafka's -1 is for ever. */
static bool is_shorter(const char *have, const char *want)
{
    long long h = strtoll(have, NULL, 10), w = strtoll(want, NULL, 10);

    return h >= 0 && (w < 0 || h < w);
}

static enum err_code check_setting(const struct apply *a, enum topic topic, const char *setting,
                                   struct err *err)
{
    AUTO_BUF have = BUF_INIT(1024);
    const char *want = strchr(setting, '=') + 1, *topic_name = a->t->name[topic];
    char name[64];
    enum err_code rc;

    (void)snprintf(name, sizeof(name), "%.*s", (int)(want - 1 - setting), setting);
    rc = kafka_admin_config(a->admin, topic_name, name, ADMIN_MS, &have, err);
    if (rc != ERR_OK)
        return rc;
    if (str_is(buf_str(&have), want))
        return ERR_OK;
    (void)fprintf(a->out, "%s differs: %s=%s (wanted %s)\n", topic_name, name, have.p ? have.p : "",
                  want);
    if (strcmp(name, "retention.ms") == 0 && is_shorter(have.p ? have.p : "0", want))
        return err_set(err, ERR_CONFIG,
                       "topic '%s' keeps records for %s ms, at least %s are needed", topic_name,
                       have.p ? have.p : "0", want);
    return ERR_OK;
}

/* --- partitions --------------------------------------------------------------- */

static enum err_code check_partitions(const struct apply *a, enum topic topic, int32_t have,
                                      struct err *err)
{
    const char *name = a->t->name[topic];
    int32_t want = a->t->partitions[topic];
    enum err_code rc;

    if (have > want)
        (void)fprintf(a->out, "%s has %d partitions (wanted %d): kept, Kafka cannot shrink\n", name,
                      have, want);
    if (have >= want)
        return ERR_OK;
    if (!a->repartition)
        return err_set(err, ERR_CONFIG,
                       "topic '%s' has %d partitions, %d are wanted: keys would move; when no run "
                       "is open, use --repartition",
                       name, have, want);
    rc = kafka_admin_add_partitions(a->admin, name, want, ADMIN_MS, err);
    if (rc == ERR_OK)
        (void)fprintf(a->out, "%s repartitioned from %d to %d\n", name, have, want);
    return rc;
}

static enum err_code check_topic(const struct apply *a, enum topic topic, int32_t partitions,
                                 struct err *err)
{
    enum err_code rc = check_partitions(a, topic, partitions, err);

    for (size_t i = 0; rc == ERR_OK && i < a->t->n_config[topic]; i++)
        rc = check_setting(a, topic, a->t->config[topic][i], err);
    if (rc == ERR_OK && !a->only_compare)
        (void)fprintf(a->out, "%s ok\n", a->t->name[topic]);
    return rc;
}

/* A new topic reaches the brokers' metadata a moment after it was created; whoever
 * starts behind us must find it. */
static enum err_code await_topic(const struct apply *a, const struct kafka_topic *wanted,
                                 struct err *err)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    int64_t deadline = clock_boot_ms() + ADMIN_MS;
    int32_t partitions = 0;

    while (clock_boot_ms() < deadline) {
        enum err_code rc =
            kafka_admin_partitions(a->admin, wanted->name, ADMIN_MS, &partitions, err);

        if (rc != ERR_OK || partitions >= wanted->partitions)
            return rc;
        (void)nanosleep(&moment, NULL);
    }
    return err_set(err, ERR_TIMEOUT, "topic '%s' was created but does not appear", wanted->name);
}

static enum err_code apply_topic(const struct apply *a, enum topic topic, struct err *err)
{
    struct kafka_topic wanted = {
        .name = a->t->name[topic],
        .partitions = a->t->partitions[topic],
        .replication = a->t->replication[topic],
        .config = (const char *const *)a->t->config[topic],
        .n_config = a->t->n_config[topic],
    };
    int32_t partitions;
    enum err_code rc = kafka_admin_partitions(a->admin, wanted.name, ADMIN_MS, &partitions, err);

    if (rc != ERR_OK)
        return rc;
    if (partitions > 0)
        return check_topic(a, topic, partitions, err);
    if (a->only_compare)
        return err_set(err, ERR_CONFIG, "topic '%s' does not exist", wanted.name);
    rc = kafka_admin_create(a->admin, &wanted, ADMIN_MS, err);
    if (rc != ERR_OK && rc != ERR_CONFLICT) /* conflict: somebody else was faster */
        return rc;
    rc = await_topic(a, &wanted, err);
    if (rc == ERR_OK)
        (void)fprintf(a->out, "%s created with %d partitions\n", wanted.name, wanted.partitions);
    return rc;
}

/* The first failure is the caller's; people are told of the others, too. */
static enum err_code keep_first(const struct apply *a, enum err_code first, const struct err *one,
                                struct err *err)
{
    if (first == ERR_OK)
        return err_set(err, one->code, "%s", one->msg);
    (void)fprintf(a->out, "%s\n", one->msg);
    return first;
}

static enum err_code apply_all(const struct apply *apply, struct err *err)
{
    enum err_code first = ERR_OK;

    for (size_t i = 0; i < TOPICS; i++) {
        struct err one = ERR_INIT;
        enum err_code rc = apply_topic(apply, (enum topic)i, &one);

        if (rc != ERR_OK)
            first = keep_first(apply, first, &one, err);
        if (rc == ERR_UNAVAILABLE)
            break; /* nor will the others be reached */
    }
    return first;
}

enum err_code topics_apply(const struct topics *t, struct kafka_admin *a, bool repartition,
                           FILE *out, struct err *err)
{
    const struct apply apply = {.t = t, .admin = a, .repartition = repartition, .out = out};

    return apply_all(&apply, err);
}

enum err_code topics_compare(const struct topics *t, struct kafka_admin *a, FILE *out,
                             struct err *err)
{
    const struct apply apply = {.t = t, .admin = a, .only_compare = true, .out = out};

    return apply_all(&apply, err);
}

enum err_code topics_check(const struct topics *t, struct kafka_admin *a, int64_t timeout_ms,
                           struct err *err)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;

    for (size_t i = 0; i < TOPICS; i++) {
        int64_t left = deadline - clock_boot_ms();
        int32_t partitions;
        enum err_code rc =
            kafka_admin_partitions(a, t->name[i], left > 1 ? left : 1, &partitions, err);

        if (rc != ERR_OK)
            return rc;
        if (partitions == 0)
            return err_set(err, ERR_CONFIG,
                           "topic '%s' does not exist: run `sandfleet topics apply`", t->name[i]);
    }
    return ERR_OK;
}

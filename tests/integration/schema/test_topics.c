/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: `topics apply` makes what is missing, changes nothing that is there unless told,
 * and says what differs; a start-up check names the missing topic.
 * Proof: on a real broker, under a prefix of this process's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/topics.h"
#include "common/banned.h"

#define WANTED                                                                                     \
    "topics:\n"                                                                                    \
    "  - { name: runs.interactive, partitions: 1 }\n"                                              \
    "  - { name: runs.batch, partitions: 1 }\n"                                                    \
    "  - { name: runs.dlq, partitions: 1 }\n"                                                      \
    "  - { name: events, partitions: 2, config: { retention.ms: 1000000, max.message.bytes: 9000 " \
    "} }\n"

struct fixture {
    struct topics topics;
    struct kafka_admin *admin;
    struct err err;
    char *text; /* what the last apply said */
};

static int setup(void **state)
{
    static int n;
    const char *brokers = getenv("SANDFLEET_BROKERS");
    struct fixture *f = calloc(1, sizeof(*f));
    char prefix[64];

    assert_non_null(f);
    if (!brokers || !*brokers)
        fail_msg(
            "SANDFLEET_BROKERS is not set: run ops/test, or source the env file of ops/dev up");
    (void)snprintf(prefix, sizeof(prefix), "test-topics-%d-%d.", (int)getpid(), n++);
    if (topics_parse(STR(WANTED), prefix, &f->topics, &f->err) != ERR_OK ||
        kafka_admin_new(&(struct kafka_conf){.brokers = brokers, .client_id = "test"}, &f->admin,
                        &f->err) != ERR_OK)
        fail_msg("%s", f->err.msg);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    topics_release(&f->topics);
    kafka_admin_free(f->admin);
    free(f->text);
    free(f);
    return 0;
}

static enum err_code apply(struct fixture *f, bool repartition)
{
    size_t n;
    FILE *out;
    enum err_code rc;

    free(f->text);
    out = open_memstream(&f->text, &n);
    assert_non_null(out);
    rc = topics_apply(&f->topics, f->admin, repartition, out, &f->err);
    (void)fclose(out);
    return rc;
}

static void apply_ok(struct fixture *f, bool repartition)
{
    if (apply(f, repartition) != ERR_OK)
        fail_msg("%s", f->err.msg);
}

static void assert_says(const struct fixture *f, const char *what)
{
    if (!strstr(f->text, what))
        fail_msg("\"%s\" does not say \"%s\"", f->text, what);
}

/* The events topic as somebody else made it. */
static void make_events(struct fixture *f, int32_t partitions, const char *setting)
{
    struct kafka_topic t = {
        .name = f->topics.name[TOPIC_EVENTS],
        .partitions = partitions,
        .replication = -1,
        .config = &setting,
        .n_config = setting != NULL,
    };

    if (kafka_admin_create(f->admin, &t, 15000, &f->err) != ERR_OK)
        fail_msg("%s", f->err.msg);
}

static int32_t partitions_of_events(struct fixture *f)
{
    int32_t n;

    if (kafka_admin_partitions(f->admin, f->topics.name[TOPIC_EVENTS], 15000, &n, &f->err) !=
        ERR_OK)
        fail_msg("%s", f->err.msg);
    return n;
}

static void makes_what_is_missing(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(err_name(topics_check(&f->topics, f->admin, 15000, &f->err)), "CONFIG");
    assert_non_null(strstr(f->err.msg, "sandfleet topics apply"));
    apply_ok(f, false);
    assert_says(f, ".events created with 2 partitions\n");
    assert_string_equal(err_name(topics_check(&f->topics, f->admin, 15000, &f->err)), "OK");
    apply_ok(f, false);
    assert_says(f, ".events ok\n");
    assert_null(strstr(f->text, "differs"));
    assert_null(strstr(f->text, "created"));
}

static void repartitions_only_when_told(void **state)
{
    struct fixture *f = *state;

    make_events(f, 1, NULL);
    assert_string_equal(err_name(apply(f, false)), "CONFIG");
    assert_non_null(strstr(f->err.msg, "--repartition"));
    assert_int_equal(partitions_of_events(f), 1);
    apply_ok(f, true);
    assert_says(f, "repartitioned from 1 to 2");
    assert_int_equal(partitions_of_events(f), 2);
}

static void never_shrinks(void **state)
{
    struct fixture *f = *state;

    make_events(f, 3, "retention.ms=1000000");
    apply_ok(f, true);
    assert_says(f, "has 3 partitions (wanted 2): kept");
    assert_int_equal(partitions_of_events(f), 3);
}

static void says_what_differs(void **state)
{
    struct fixture *f = *state;

    make_events(f, 2, "retention.ms=2000000");
    apply_ok(f, false);
    assert_says(f, "differs: retention.ms=2000000 (wanted 1000000)");
    assert_says(f, "differs: max.message.bytes=");
}

static void short_retention_is_an_error(void **state)
{
    struct fixture *f = *state;

    make_events(f, 2, "retention.ms=999999");
    assert_string_equal(err_name(apply(f, false)), "CONFIG");
    assert_non_null(strstr(f->err.msg, "keeps records for 999999 ms"));
}

static void for_ever_is_not_short(void **state)
{
    struct fixture *f = *state;

    make_events(f, 2, "retention.ms=-1");
    apply_ok(f, false);
    assert_says(f, "differs: retention.ms=-1");
}

static void no_broker_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct kafka_admin *admin = NULL;
    struct err err = ERR_INIT;

    assert_string_equal(
        err_name(kafka_admin_new(
            &(struct kafka_conf){.brokers = "127.0.0.1:1", .client_id = "test"}, &admin, &err)),
        "OK");
    assert_string_equal(err_name(topics_check(&f->topics, admin, 500, &err)), "UNAVAILABLE");
    kafka_admin_free(admin);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(repartitions_only_when_told, setup, teardown),
        cmocka_unit_test_setup_teardown(never_shrinks, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_differs, setup, teardown),
        cmocka_unit_test_setup_teardown(short_retention_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(for_ever_is_not_short, setup, teardown),
        cmocka_unit_test_setup_teardown(no_broker_is_unavailable, setup, teardown),
    };

    return cmocka_run_group_tests_name("topics", tests, NULL, NULL);
}

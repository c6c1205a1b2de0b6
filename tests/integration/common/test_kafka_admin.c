/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: topics are made and described; what is wrong is said with its next
 * step. Proof: a real broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/integration/common/kafka_world.h"

/* --- administration --- */

/* The controller has them at once; a broker learns of them a moment later. */
static void await_partitions(struct world *w, int32_t want)
{
    int64_t until = clock_boot_ms() + ADMIN_MS;
    int32_t n = 0;

    while (n != want) {
        assert_true(clock_boot_ms() < until);
        assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    }
}

static void topics_are_made_and_described(void **state)
{
    struct world *w = *state;
    AUTO_BUF value = BUF_INIT(100);
    const char *const config[] = {"retention.ms=12345", "cleanup.policy=compact"};
    struct kafka_topic t = {w->topic, 3, 1, config, 2};
    int32_t n = -1;
    int64_t low = -1, high = -1;
    assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(kafka_admin_create(w->admin, &t, ADMIN_MS, NULL), ERR_OK);
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, NULL)), "CONFLICT");
    assert_int_equal(kafka_admin_partitions(w->admin, w->topic, ADMIN_MS, &n, NULL), ERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(kafka_admin_config(w->admin, w->topic, "retention.ms", ADMIN_MS, &value, NULL),
                     ERR_OK);
    assert_string_equal(value.p, "12345");
    assert_string_equal(
        err_name(kafka_admin_config(w->admin, w->topic, "no.such", ADMIN_MS, &value, NULL)),
        "NOT_FOUND");
    assert_int_equal(kafka_admin_add_partitions(w->admin, w->topic, 5, ADMIN_MS, NULL), ERR_OK);
    await_partitions(w, 5);
    assert_string_equal(err_name(kafka_admin_add_partitions(w->admin, w->topic, 2, ADMIN_MS, NULL)),
                        "CONFIG");
    produce_numbers(w, 1);
    assert_int_equal(
        kafka_admin_offsets(w->admin, w->topic, w->partition, ADMIN_MS, &low, &high, NULL), ERR_OK);
    assert_int_equal(low, 0);
    assert_int_equal(high, 1);
}

static void a_bad_topic_is_a_configuration_error(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    const char *const bad[] = {"no.such.setting=1"};
    struct kafka_topic t = {w->topic, 1, 1, bad, 1};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
    assert_non_null(strstr(e.msg, "no.such.setting"));
    t = (struct kafka_topic){w->topic, 1, 9, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
    t = (struct kafka_topic){"a/b", 1, 1, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, ADMIN_MS, &e)), "CONFIG");
}

static void nobody_there_is_said(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    int32_t n;
    use_brokers(w, "127.0.0.1:1");
    assert_string_equal(err_name(kafka_admin_partitions(w->admin, "x", 300, &n, &e)),
                        "UNAVAILABLE");
    assert_non_null(strstr(e.msg, "127.0.0.1:1"));
    assert_non_null(strstr(e.msg, "--brokers (SANDFLEET_BROKERS)"));
    struct kafka_topic t = {"x", 1, 1, NULL, 0};
    assert_string_equal(err_name(kafka_admin_create(w->admin, &t, 300, &e)), "UNAVAILABLE");
}

static void settings_of_the_caller(void **state)
{
    static struct row {
        const char *item, *want;
    } rows[] = {
        {"socket.timeout.ms=5000", "OK"}, {"acks=1", "USAGE"},    {"no.such=1", "USAGE"},
        {"socket.timeout.ms=x", "USAGE"}, {"no-equals", "USAGE"}, {"=x", "USAGE"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char item[64], *items[] = {item};
        snprintf(item, sizeof item, "%s", rows[i].item);
        struct opt_list props = {items, 1};
        struct kafka_conf conf = {.brokers = w->brokers, .props = &props};
        struct kafka_admin *a = NULL;
        enum err_code rc = kafka_admin_new(&conf, &a, NULL);
        kafka_admin_free(a);
        if (strcmp(err_name(rc), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].item, err_name(rc));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(topics_are_made_and_described),
        TEST(a_bad_topic_is_a_configuration_error),
        TEST(nobody_there_is_said),
        TEST(settings_of_the_caller),
    };
    return cmocka_run_group_tests_name("kafka_admin", tests, NULL, NULL);
}

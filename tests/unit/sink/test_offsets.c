/* SPDX-License-Identifier: Apache-2.0 */
/* Which record comes next: none is skipped and none is taken twice, whatever a
 * consumer delivers behind a seek; holes that the log really has are passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sink/offsets.h"

#include "common/banned.h"

/* What arrives, by offset, and what is done with it: t(ake), d(rop), s(eek). */
static const struct row {
    const char *name;
    int64_t at; /* position before */
    int64_t offsets[6];
    const char *want;
} rows[] = {
    {"in order", 5, {5, 6, 7}, "ttt"},
    {"seen before", 5, {3, 4, 5}, "ddt"},
    {"twice", 5, {5, 5, 6}, "tdt"},
    {"unknown position", KAFKA_EARLIEST, {40, 41}, "tt"},
    {"stale records behind a seek", 5, {9, 5, 6}, "stt"},
    {"a hole in the log", 5, {9, 9, 10}, "stt"},
    {"stale, then a hole", 5, {9, 7, 7, 8}, "sstt"},
    {"stale more than once", 5, {9, 10, 9, 5}, "ssst"},
};

static const char verdicts[] = {[OFFSETS_TAKE] = 't', [OFFSETS_DROP] = 'd', [OFFSETS_SEEK] = 's'};

static struct topics topics = {.name = {"p.runs.interactive", "p.runs.batch", "p.events", "p.dlq"}};

static void check(void **state)
{
    const struct row *r = *state;
    struct err err = ERR_INIT;
    struct offsets o;
    struct position *p;
    int64_t from;

    offsets_init(&o, &topics);
    assert_int_equal(offsets_assign(&o,
                                    (struct partition[]){{"p.events", 3, KAFKA_COMMITTED},
                                                         {"p.runs.batch", 3, KAFKA_COMMITTED}},
                                    2, &err),
                     ERR_OK);
    p = offsets_find(&o, TOPIC_EVENTS, 3);
    assert_non_null(p);
    p->next = r->at;
    for (size_t i = 0; r->want[i]; i++) {
        int64_t before = p->next;
        enum offsets_verdict v = offsets_next(&o, TOPIC_EVENTS, 3, r->offsets[i], &p, &from);
        assert_int_equal(verdicts[v], r->want[i]);
        if (v == OFFSETS_TAKE) {
            assert_int_equal(from, before);
            assert_int_equal(p->next, r->offsets[i] + 1);
        } else {
            assert_int_equal(p->next, before);
        }
    }
    offsets_release(&o);
}

static void foreign_partitions(void **state)
{
    struct err err = ERR_INIT;
    struct offsets o;
    struct position *p;
    int64_t from;

    (void)state;
    offsets_init(&o, &topics);
    assert_int_equal(offsets_next(&o, TOPIC_EVENTS, 0, 0, &p, &from), OFFSETS_DROP);
    assert_int_equal(
        offsets_assign(&o, (struct partition[]){{"other", 0, 0}, {"p.events", 1, 0}}, 2, &err),
        ERR_OK);
    assert_int_equal(o.n, 1);
    assert_int_equal(offsets_next(&o, TOPIC_BATCH, 1, 0, &p, &from), OFFSETS_DROP);
    assert_int_equal(offsets_next(&o, TOPIC_EVENTS, 0, 0, &p, &from), OFFSETS_DROP);
    assert_int_equal(offsets_next(&o, TOPIC_EVENTS, 1, 0, &p, &from), OFFSETS_TAKE);
    offsets_release(&o);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(foreign_partitions);
    return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}

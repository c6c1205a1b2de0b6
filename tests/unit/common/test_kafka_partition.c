/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a key goes to the partition Java's client would choose, too. Proof:
 * the hashes of Kafka's own UtilsTest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/kafka/kafka.h"

static struct row {
    const char *name;
    struct str key;
    int32_t hash;
} rows[] = {
    {"two bytes", {"21", 2}, -973932308},
    {"three bytes", {"abc", 3}, 479470107},
    {"six bytes", {"foobar", 6}, -790332482},
    {"24 bytes", {"a-little-bit-long-string", 24}, -985981536},
    {"26 bytes", {"a-little-bit-longer-string", 26}, -1486304829},
    {"48 bytes", {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48}, -58897971},
};

static void check(void **state)
{
    const struct row *row = *state;
    for (int32_t n = 1; n <= 1000; n += 37)
        assert_int_equal(kafka_partition(row->key, n), (row->hash & 0x7fffffff) % n);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = check, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("kafka_partition", tests, NULL, NULL);
}

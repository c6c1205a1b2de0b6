/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the keys that are in use stay, however many come by; one that may have changed is not
 * trusted; and its use is told once a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/auth/keys_kept.h"
#include "common/banned.h"

static struct kept kept;

static int release(void **state)
{
    (void)state;
    kept_release(&kept);
    assert_int_equal(kept.n, 0);
    return 0;
}

static const char *id_of(unsigned n)
{
    static char id[API_KEY_ID];

    (void)snprintf(id, sizeof(id), "%08x%04x", n * 2654435761U, n & 0xffffU);
    return id;
}

static void add(unsigned n, int64_t now_ms)
{
    struct key *key = kept_add(&kept, id_of(n));

    assert_non_null(key);
    key->scopes = n;
    kept_read(&kept, key, now_ms);
}

static bool is_there(unsigned n)
{
    int64_t age;
    struct key *key = kept_find(&kept, id_of(n), 0, &age);

    if (key)
        assert_int_equal(key->scopes, n);
    return key != NULL;
}

static void the_used_ones_stay(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3 * KEYS_KEPT; n++) {
        add(n, 0);
        assert_true(is_there(0)); /* used all the time */
    }
    assert_int_equal(kept.n, KEYS_KEPT);
    assert_false(is_there(1));
    for (unsigned n = 2 * KEYS_KEPT + 1; n < 3 * KEYS_KEPT; n++)
        assert_true(is_there(n));
    for (unsigned n = 0; n < 3 * KEYS_KEPT; n += 2)
        kept_drop(&kept, id_of(n));
    assert_false(is_there(0));
    assert_true(is_there(3 * KEYS_KEPT - 1));
}

static void doubted(void **state)
{
    int64_t age = 0;

    (void)state;
    add(1, 1000), add(2, 1000);
    assert_non_null(kept_find(&kept, id_of(1), 1500, &age));
    assert_int_equal(age, 500);
    kept_doubt(&kept, id_of(1));
    kept_doubt(&kept, "no id of ours");
    kept_doubt(&kept, id_of(77));
    assert_non_null(kept_find(&kept, id_of(1), 1500, &age));
    assert_true(age == INT64_MAX);
    assert_non_null(kept_find(&kept, id_of(2), 1500, &age));
    assert_int_equal(age, 500);
    kept_doubt(&kept, NULL);
    assert_non_null(kept_find(&kept, id_of(2), 1500, &age));
    assert_true(age == INT64_MAX);
    add(2, 2000); /* read again: the bucket of the one there is stays */
    assert_int_equal(kept.n, 2);
    assert_non_null(kept_find(&kept, id_of(2), 2100, &age));
    assert_int_equal(age, 100);
}

static void told_once_a_minute(void **state)
{
    struct buf ids = BUF_INIT(1024);

    (void)state;
    add(1, 0), add(2, 0);
    struct key *one = kept_add(&kept, id_of(1)), *two = kept_add(&kept, id_of(2));
    assert_true(kept_use(&kept, one, 0));
    assert_false(kept_use(&kept, one, KEYS_USED_EVERY_MS - 1));
    kept_take_used(&kept, &ids);
    char want[64];
    (void)snprintf(want, sizeof(want), "{%s}", id_of(1));
    assert_string_equal(ids.p, want);
    buf_release(&ids);
    kept_take_used(&kept, &ids);
    assert_string_equal(ids.p, "{}");
    buf_release(&ids);
    assert_true(kept_use(&kept, one, KEYS_USED_EVERY_MS));
    assert_true(kept_use(&kept, two, KEYS_USED_EVERY_MS));
    kept_take_used(&kept, &ids);
    assert_int_equal(ids.len, 2 * 12 + 3);
    buf_release(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(the_used_ones_stay, release),
                                       cmocka_unit_test_teardown(doubted, release),
                                       cmocka_unit_test_teardown(told_once_a_minute, release)};

    return cmocka_run_group_tests_name("keys_kept", tests, NULL, NULL);
}

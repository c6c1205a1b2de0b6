/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a journal keeps the newest entries within its bounds and finds them by level, text and
 * time from either end; the life cycles do so by sandbox and type.
 * Proof: more entries than it keeps, and each filter alone. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "sandboxd/control/journal.h"
#include "tests/lib/table.h"

static int count(const char *text)
{
    AUTO_JSON *list = cJSON_Parse(text);

    assert_true(cJSON_IsArray(list));
    return cJSON_GetArraySize(list);
}

static int found(const struct journal *j, const struct journal_query *q, struct buf *out)
{
    buf_clear(out);
    buf_adds(out, "[");
    journal_put(j, q, false, out);
    buf_adds(out, "]");
    return count(out->p);
}

static void newest_are_kept(void **state)
{
    const char *const pairs[] = {"a", "1", NULL};
    struct journal_query q = {.cursor_ms = -1, .limit = JOURNAL_PAGE_MAX};
    AUTO_BUF out = BUF_INIT(1 << 20);
    struct journal j = {0};
    char text[32];

    (void)state;
    assert_int_equal(found(&j, &q, &out), 0);
    for (int i = 0; i < 2 * JOURNAL_KEPT + 7; i++) {
        (void)snprintf(text, sizeof(text), "entry %d", i);
        journal_add(&j, JOURNAL_INFO, text, pairs);
    }
    assert_int_equal(found(&j, &q, &out), JOURNAL_KEPT);
    assert_non_null(strstr(out.p, "\"message\":\"entry 263\",\"fields\":{\"a\":\"1\"}"));
    assert_null(strstr(out.p, "\"entry 262\""));
    q.limit = 1;
    q.backward = true;
    assert_int_equal(found(&j, &q, &out), 1);
    assert_non_null(strstr(out.p, "\"entry 518\""));
    journal_release(&j);
}

static void filters(void **state)
{
    const char *const none[] = {NULL};
    struct journal_query q = {.cursor_ms = -1, .limit = 10};
    AUTO_BUF out = BUF_INIT(1 << 20);
    struct journal j = {0};
    char big[2 * JOURNAL_ENTRY_MAX];

    (void)state;
    journal_add(&j, JOURNAL_DEBUG, "one", none);
    journal_add(&j, JOURNAL_ERROR, "two", none);
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    journal_add(&j, JOURNAL_ERROR, "three", (const char *const[]){"big", big, NULL}); /* too long */
    assert_int_equal(found(&j, &q, &out), 2);
    q.least = JOURNAL_WARN;
    assert_int_equal(found(&j, &q, &out), 1);
    q = (struct journal_query){.cursor_ms = -1, .limit = 10, .search = STR("ne")};
    assert_int_equal(found(&j, &q, &out), 1);
    q = (struct journal_query){.cursor_ms = clock_wall_ms() + 5000, .limit = 10};
    assert_int_equal(found(&j, &q, &out), 0);
    q.backward = true;
    assert_int_equal(found(&j, &q, &out), 2);
    journal_release(&j);
}

static int changes(const struct lifecycle_log *l, const struct lifecycle_query *q, struct buf *out)
{
    buf_clear(out);
    buf_adds(out, "[");
    lifecycle_put(l, q, out);
    buf_adds(out, "]");
    return count(out->p);
}

static void life_cycles(void **state)
{
    struct lifecycle_log *l = lifecycle_new();
    struct lifecycle_query q = {.limit = 100};
    AUTO_BUF out = BUF_INIT(1 << 20);

    (void)state;
    assert_non_null(l);
    for (int i = 0; i < LIFECYCLE_KEPT; i++)
        lifecycle_add(l, LIFECYCLE_UPDATED, "other", "base", NULL);
    lifecycle_add(l, LIFECYCLE_CREATED, "one", "base", NULL);
    lifecycle_add(l, LIFECYCLE_KILLED, "one", "base", "expired");
    assert_int_equal(changes(l, &q, &out), 100);
    q.sandbox = STR("one");
    assert_int_equal(changes(l, &q, &out), 2);
    assert_true(strstr(out.p, "killed") < strstr(out.p, "created")); /* newest first */
    q.types = STR("paused,sandbox.lifecycle.killed");
    assert_int_equal(changes(l, &q, &out), 1);
    assert_non_null(strstr(out.p, "\"eventData\":{\"reason\":\"expired\"}"));
    q.types = STR("");
    q.offset = 1;
    assert_int_equal(changes(l, &q, &out), 1);
    q.ascending = true;
    assert_int_equal(changes(l, &q, &out), 1);
    assert_non_null(strstr(out.p, "killed"));
    lifecycle_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_are_kept),
        cmocka_unit_test(filters),
        cmocka_unit_test(life_cycles),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}

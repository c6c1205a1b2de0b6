/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: out of memory is an error like any other: told as NOMEM, nothing leaked, and the
 * next try works; and event_write, the hot path, allocates nothing once its buffers grew.
 * Proof: each scenario runs with its first, second, … allocation failing until none is left;
 * ASan sees what is leaked. */
#include <string.h>

#include "schema/event.h"
#include "schema/run_request.h"
#include "schema/topics.h"
#include "tests/lib/heap.h"
#include "tests/lib/table.h"

#define RUN "018f2f6e-7b1c-7abc-8def-0123456789ab"

static const char request[] =
    "{\"v\":1,\"run_id\":\"" RUN "\",\"prompt\":\"x\",\"tags\":[\"a\",\"b\"],"
    "\"metadata\":{\"a\":{\"b\":[1,\"c\"]}},\"env\":{\"A\":\"b\"},\"max_budget_usd\":0.5}";

static enum err_code parse(struct err *err)
{
    struct run_request r;
    enum err_code rc = run_request_parse(str_of(request), &r, err);

    if (rc == ERR_OK)
        run_request_release(&r);
    return rc;
}

static enum err_code parse_and_write(struct err *err)
{
    AUTO_BUF out = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    struct run_request r;
    enum err_code rc = run_request_parse(str_of(request), &r, err);

    if (rc != ERR_OK)
        return rc;
    rc = run_request_write(&r, &out, err);
    run_request_release(&r);
    return rc;
}

static const struct event_run run = {.tenant = "acme", .run_id = RUN};
static const struct event event = {
    .type = EVENT_AGENT_TEXT, .attempt = 1, .epoch = 1, .n = 1, .data = {"{}", 2}};

static enum err_code write_event(struct err *err)
{
    struct event_record w;
    enum err_code rc;

    event_record_init(&w);
    rc = event_write(&run, &event, &w, err);
    event_record_release(&w);
    return rc;
}

static enum err_code load_topics(struct err *err)
{
    struct topics t;
    enum err_code rc = topics_load("p.", &t, err);

    if (rc == ERR_OK)
        topics_release(&t);
    return rc;
}

static struct row {
    const char *name;
    enum err_code (*run)(struct err *err);
} rows[] = {
    {"run_request_parse", parse},
    {"run_request_write", parse_and_write},
    {"event_write", write_event},
    {"topics_load", load_topics},
};

static void check(void **state)
{
    const struct row *r = *state;
    struct err err = ERR_INIT;

    for (size_t n = 1;; n++) {
        enum err_code rc;
        size_t seen;

        heap_fail_at(n);
        rc = r->run(&err);
        seen = heap_seen();
        heap_fail_at(0);
        if (seen < n) {
            assert_string_equal(err_name(rc), "OK");
            assert_true(n > 1); /* it did allocate */
            return;
        }
        assert_string_equal(err_name(rc), "NOMEM");
    }
}

static void the_hot_path_does_not_allocate(void **state)
{
    struct event_record w;
    struct err err = ERR_INIT;

    (void)state;
    event_record_init(&w);
    assert_string_equal(err_name(event_write(&run, &event, &w, &err)), "OK");
    heap_fail_at(1);
    for (int i = 0; i < 100; i++)
        assert_string_equal(err_name(event_write(&run, &event, &w, &err)), "OK");
    assert_int_equal(heap_seen(), 0);
    heap_fail_at(0);
    event_record_release(&w);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {cmocka_unit_test(the_hot_path_does_not_allocate)};

    /* else cJSON allocates with the malloc of its own library */
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = malloc, .free_fn = free});
    return TABLE_RUN("torture", rows, check) +
           cmocka_run_group_tests_name("torture", singles, NULL, NULL);
}

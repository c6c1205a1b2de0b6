/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a record's key on a line, its value behind it. Properties: what is accepted gives views
 * inside the value only, and an event that, written again, reads back as the same one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct str s, struct str value)
{
    assert(!s.p || (s.p >= value.p && s.p + s.n <= value.p + value.n));
}

static void assert_same(const struct event_view *a, const struct event_view *b)
{
    assert(str_eq(a->id, b->id) && str_eq(a->type_text, b->type_text));
    assert(str_eq(a->tenant, b->tenant) && str_eq(a->run_id, b->run_id));
    assert(str_eq(a->batch_id, b->batch_id) && str_eq(a->custom_id, b->custom_id));
    assert(str_eq(a->event.data, b->event.data));
    assert(a->event.attempt == b->event.attempt && a->event.epoch == b->event.epoch);
    assert(a->event.n == b->event.n && a->event.time_ms == b->event.time_ms);
    assert(a->created_day_ms == b->created_day_ms);
}

static void check_again(const struct event_view *v)
{
    char *tenant = str_dup(v->tenant), *run_id = str_dup(v->run_id);
    char *batch_id = v->batch_id.p ? str_dup(v->batch_id) : NULL;
    char *custom_id = v->custom_id.p ? str_dup(v->custom_id) : NULL;
    struct event_run run = {.tenant = tenant,
                            .run_id = run_id,
                            .batch_id = batch_id,
                            .custom_id = custom_id,
                            .created_ms = v->created_day_ms};
    struct event_record w;
    struct event_view back;
    struct err err = ERR_INIT;

    event_record_init(&w);
    if (event_write(&run, &v->event, &w, &err) == ERR_OK) {
        assert(event_read(v->run_id, buf_str(&w.value), &back, &err) == ERR_OK);
        assert_same(v, &back);
    } else {
        assert(err.code == ERR_TOO_BIG);
    }
    event_record_release(&w);
    free(tenant);
    free(run_id);
    free(batch_id);
    free(custom_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = {(const char *)data, size}, key;
    struct event_view v;
    struct err err = ERR_INIT;

    if (size == 0 || !str_next(&value, '\n', &key))
        return 0;
    if (event_read(key, value, &v, &err) != ERR_OK) {
        assert(err.code == ERR_INVALID && strchr(err.msg, ':'));
        return 0;
    }
    assert_inside(v.event.data, value);
    assert_inside(v.event.tool, value);
    assert_inside(v.event.model, value);
    assert_inside(v.id, value);
    assert_inside(v.custom_id, value);
    if (v.known_type)
        check_again(&v);
    return 0;
}

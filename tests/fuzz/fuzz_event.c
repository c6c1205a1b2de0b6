/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a record as text: its key on a line, a "name value" line a header, an empty line,
 * the value. Properties: what is accepted gives views inside the record only, and an event
 * that, written again, reads back as the same one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/event.h"

enum { HEADERS_MAX = 32, NAME_MAX_BYTES = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct kafka_record record;
    struct kafka_header headers[HEADERS_MAX];
    char names[HEADERS_MAX][NAME_MAX_BYTES];
};

static void add_header(struct input *in, struct str line)
{
    size_t i = in->record.n_headers;
    struct str name;

    if (i == HEADERS_MAX || !str_next(&line, ' ', &name) || name.n >= NAME_MAX_BYTES)
        return;
    memcpy(in->names[i], name.p, name.n);
    in->headers[i] = (struct kafka_header){.name = in->names[i], .value = line};
    in->record.n_headers++;
}

static void read_input(struct str text, struct input *in)
{
    struct str line;

    in->record.headers = in->headers;
    if (text.n == 0 || !str_next(&text, '\n', &in->record.key))
        return;
    while (str_next(&text, '\n', &line) && line.n > 0)
        add_header(in, line);
    in->record.value = text;
}

static void assert_inside(struct str s, const struct kafka_record *r)
{
    bool inside = !s.p || (s.p >= r->value.p && s.p + s.n <= r->value.p + r->value.n);

    for (size_t i = 0; i < r->n_headers && !inside; i++)
        inside = s.p == r->headers[i].value.p && s.n == r->headers[i].value.n;
    assert(inside);
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
        struct kafka_record r = {.key = v->run_id,
                                 .value = buf_str(&w.value),
                                 .headers = w.headers,
                                 .n_headers = w.n_headers};

        assert(event_read(&r, &back, &err) == ERR_OK);
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
    struct input in = {0};
    struct event_view v;
    struct err err = ERR_INIT;

    read_input((struct str){(const char *)data, size}, &in);
    if (event_read(&in.record, &v, &err) != ERR_OK) {
        assert(err.code == ERR_INVALID && strchr(err.msg, ':'));
        return 0;
    }
    assert_inside(v.event.data, &in.record);
    assert_inside(v.event.tool, &in.record);
    assert_inside(v.event.model, &in.record);
    assert_inside(v.id, &in.record);
    assert_inside(v.custom_id, &in.record);
    if (v.known_type)
        check_again(&v);
    return 0;
}

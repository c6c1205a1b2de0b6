/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a server answers, what is printed of it is UTF-8 without control characters;
 * the elements of a list are its parts; an event that is read is written as it was. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/json/json.h"
#include "producer/api/api_event.h"
#include "producer/api/api_problem.h"
#include "producer/api/json_array.h"
#include "producer/show/batch_progress.h"
#include "producer/show/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct terminal terminal = {.columns = 60, .terminal = true, .unicode = true};

static void check_safe(struct str text)
{
    assert(str_utf8(text, NULL));
    for (size_t i = 0; i < text.n; i++)
        assert((unsigned char)text.p[i] >= 0x20 || text.p[i] == '\n');
}

static void check_event(struct str text)
{
    struct event_view v, again;
    int64_t sequence, same;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(4 << 20);

    if (api_event_read(text, &v, &sequence, &err) != ERR_OK)
        return;
    api_event_write(&v, sequence, &out);
    if (out.rc != ERR_OK)
        return;
    assert(api_event_read(buf_str(&out), &again, &same, &err) == ERR_OK);
    assert(same == sequence && again.event.type == v.event.type);
    assert(str_eq(again.event.data, v.event.data));
}

static void check_list(struct str text, const cJSON *doc)
{
    struct str rest = text, e;
    struct err err = ERR_INIT;
    int n = 0;

    while (json_array_next(&rest, &e)) {
        AUTO_JSON *part = NULL;

        n++;
        if (cJSON_IsArray(doc))
            assert(json_parse(e, 0, &part, &err) == ERR_OK);
    }
    if (cJSON_IsArray(doc))
        assert(n == cJSON_GetArraySize(doc));
}

static void check_print(const cJSON *doc)
{
    static const struct field fields[] = {{"text", "a", FIELD_TEXT, 0},
                                          {"count", "b|usage.n", FIELD_COUNT, 0},
                                          {"usd", "cost_usd", FIELD_USD, 0},
                                          {"bytes", "b", FIELD_BYTES, 0},
                                          {"ms", "b", FIELD_MS, 0},
                                          {"s", "b", FIELD_S, 0},
                                          {"at", "created_at", FIELD_TIME, 0},
                                          {"ago", "created_at", FIELD_AGO, 0},
                                          {"span", "created_at..ended_at", FIELD_SPAN, 0},
                                          {"yes", "a", FIELD_YES, 0}};
    struct progress p = {.total = 0};
    struct table table;
    AUTO_BUF out = BUF_INIT(16 << 20);

    field_details(fields, COUNTOF(fields), doc, 1772359260000, &terminal, &out);
    table_init(&table, fields, COUNTOF(fields), &terminal, 1772359260000);
    table_add(&table, doc);
    table_flush(&table, &out);
    table_release(&table);
    progress_take(&p, doc, 1, 1772359260000);
    progress_take_runs(&p, doc, true, 1772359260000);
    progress_take_runs(&p, doc, false, 1772359260000);
    progress_take(&p, doc, 5000, 1772359260000);
    progress_draw(&p, &terminal, &out);
    progress_line(&p, &out);
    if (out.rc == ERR_OK)
        check_safe(buf_str(&out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;

    api_problem_read(size ? 400 + data[0] % 200 : 404, text, NULL, &err);
    check_safe(str_of(err.msg));
    check_event(text);
    if (json_parse(text, 0, &doc, &err) != ERR_OK)
        doc = NULL;
    check_list(text, doc);
    if (doc)
        check_print(doc);
    return 0;
}

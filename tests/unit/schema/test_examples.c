/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the published examples and JSON Schemas say what the codec does.
 * Proof: each file of schema/examples/valid is accepted and comes back from its own text;
 * each of invalid/ is refused with the reason its name begins with; events/ is what
 * event_write writes; the schemas have the members that the codec has, no more, no less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/event_attr.h"
#include "schema/run_request_fields.h"
#include "common/banned.h"

enum { FILE_MAX = 1024 * 1024, FILES_MAX = 256 };

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char *room = buf_room(out, FILE_MAX);

    if (!f)
        fail_msg("cannot open %s", path);
    assert_non_null(room);
    buf_grew(out, fread(room, 1, FILE_MAX, f));
    (void)fclose(f);
}

static struct str reason_of_name(const char *path)
{
    const char *name = strrchr(path, '/') + 1;

    return (struct str){name, strcspn(name, "-.")};
}

static void check_invalid(void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX + 1);
    struct err err = ERR_INIT;
    struct run_request r;

    read_file(*state, &text);
    if (run_request_parse(buf_str(&text), &r, &err) == ERR_OK)
        fail_msg("%s was accepted", (const char *)*state);
    if (!str_eq(run_request_reason(&err), reason_of_name(*state)))
        fail_msg("%s: %s", (const char *)*state, err.msg);
    assert_null(strstr(err.msg, "AAAA")); /* the body of the examples' tokens */
    assert_null(r.tree);
}

static void parse_ok(struct str text, struct run_request *r)
{
    struct err err = ERR_INIT;

    if (run_request_parse(text, r, &err) != ERR_OK)
        fail_msg("%s", err.msg);
}

static void check_valid(void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX + 1), once = BUF_INIT(FILE_MAX), twice = BUF_INIT(FILE_MAX);
    struct run_request r, back;
    struct err err = ERR_INIT;
    uint8_t hash[32], hash_back[32];

    read_file(*state, &text);
    parse_ok(buf_str(&text), &r);
    assert_string_equal(err_name(run_request_write(&r, &once, &err)), "OK");
    parse_ok(buf_str(&once), &back);
    assert_string_equal(err_name(run_request_write(&back, &twice, &err)), "OK");
    assert_string_equal(once.p, twice.p);
    run_request_hash(&r, hash);
    run_request_hash(&back, hash_back);
    assert_memory_equal(hash, hash_back, sizeof(hash));
    run_request_release(&r);
    run_request_release(&back);
}

/* --- schemas -------------------------------------------------------------------- */

static cJSON *read_schema(const char *name)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX + 1);
    struct err err = ERR_INIT;
    char path[512];
    cJSON *tree = NULL;

    (void)snprintf(path, sizeof(path), SF_SOURCE_DIR "/schema/%s", name);
    read_file(path, &text);
    if (json_parse(buf_str(&text), 0, &tree, &err) != ERR_OK)
        fail_msg("%s: %s", name, err.msg);
    return tree;
}

static void request_schema_has_the_fields(void **state)
{
    cJSON *schema = read_schema("run_request.schema.json");
    const cJSON *properties = json_get(schema, "properties");

    (void)state;
    for (size_t i = 0; i < run_n_fields; i++) {
        const cJSON *p = json_get(properties, run_fields[i].name);

        if (!p)
            fail_msg("the schema lacks '%s'", run_fields[i].name);
        assert_int_equal(json_get(p, "not") != NULL, run_fields[i].kind == FIELD_UNSUPPORTED);
    }
    assert_int_equal(cJSON_GetArraySize(properties), run_n_fields);
    json_delete(&schema);
}

/* Ranges and defaults that people read there are those of the rows. */
static void request_schema_has_the_ranges(void **state)
{
    cJSON *schema = read_schema("run_request.schema.json");
    const cJSON *properties = json_get(schema, "properties");
    struct run_request defaults = RUN_REQUEST_INIT;

    (void)state;
    run_request_defaults(&defaults);
    for (size_t i = 0; i < run_n_fields; i++) {
        const struct field *f = &run_fields[i];
        const cJSON *p = json_get(properties, f->name);
        int64_t n;

        if (f->kind == FIELD_INT) {
            assert_true(json_get_int(p, "minimum", &n) && n == f->least);
            assert_true(json_get_int(p, "maximum", &n) && n == f->most);
            if (json_get_int(p, "default", &n))
                assert_int_equal(n, *(const int64_t *)run_field_at(&defaults, f));
        }
        if (f->kind == FIELD_TEXT && json_get_string(p, "default"))
            assert_string_equal(json_get_string(p, "default"),
                                *(const char *const *)run_field_at(&defaults, f));
    }
    json_delete(&schema);
}

static void event_schema_has_the_attributes(void **state)
{
    static const struct {
        const char *name;
        bool required;
    } attrs[] = {
#define ROW(name, wire, quote, required) {wire, required},
        EVENT_ATTR_MAP(ROW)
#undef ROW
            {"data", true},
        {"datacontenttype", false},
    };
    cJSON *schema = read_schema("event.schema.json");
    const cJSON *properties = json_get(schema, "properties"), *r;
    size_t required = 0;

    (void)state;
    for (size_t i = 0; i < COUNTOF(attrs); i++) {
        bool in_schema = false;

        assert_non_null(json_get(properties, attrs[i].name));
        cJSON_ArrayForEach(r, json_get(schema, "required")) in_schema |=
            strcmp(r->valuestring, attrs[i].name) == 0;
        assert_int_equal(in_schema, attrs[i].required);
        required += attrs[i].required;
    }
    assert_int_equal(cJSON_GetArraySize(properties), COUNTOF(attrs));
    assert_int_equal(cJSON_GetArraySize(json_get(schema, "required")), required);
    json_delete(&schema);
}

/* --- events --------------------------------------------------------------------- */

static void check_event(const char *name, const struct event *e)
{
    static const struct event_run run = {
        .tenant = "acme",
        .run_id = "018f2f6e-7b1c-7abc-8def-0123456789ab",
        .batch_id = "2026-11-21/nightly",
        .custom_id = "row-7",
        .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        .created_ms = INT64_C(1795222923004),
    };
    AUTO_BUF want = BUF_INIT(FILE_MAX + 1);
    struct event_record w;
    struct err err = ERR_INIT;
    char path[512];

    event_record_init(&w);
    assert_string_equal(err_name(event_write(&run, e, &w, &err)), "OK");
    (void)snprintf(path, sizeof(path), SF_SOURCE_DIR "/schema/examples/events/%s", name);
    read_file(path, &want);
    buf_addc(&w.value, '\n');
    assert_string_equal(w.value.p, want.p);
    event_record_release(&w);
}

static void example_of_a_line(void **state)
{
    struct event e = {
        .type = EVENT_AGENT_TOOL_USE,
        .attempt = 1,
        .epoch = 1,
        .n = 4,
        .offset = 6021,
        .time_ms = INT64_C(1795222927118),
        .tool = STR("Bash"),
        .model = STR("claude-sonnet-4-5"),
        .input_tokens = 812,
        .output_tokens = 31,
        .data = STR("{\"line\":4,\"offset\":6021,\"native\":{\"type\":\"assistant\",\"message\":"
                    "{\"content\":[{\"type\":\"tool_use\",\"name\":\"Bash\",\"input\":"
                    "{\"command\":\"ls | wc -l\"}}]}}}"),
    };

    (void)state;
    check_event("line.json", &e);
}

/* age_ms counts all of the sandbox's life, running_ms what it ran and so cost. */
static void example_of_a_sandbox_s_end(void **state)
{
    struct event e = {
        .type = EVENT_SANDBOX_ENDED,
        .attempt = 1,
        .epoch = 1,
        .n = 4,
        .time_ms = INT64_C(1795222931550),
        .data = STR("{\"sandbox_id\":\"i0123456789abcdefghij\",\"template\":\"claude\",\"reason\":"
                    "\"released\",\"age_ms\":612000,\"running_ms\":95300,\"cost_usd\":0.00288}")};

    (void)state;
    check_event("sandbox_ended.json", &e);
}

static void example_of_a_start(void **state)
{
    struct event e = {
        .type = EVENT_ATTEMPT_STARTED,
        .attempt = 1,
        .epoch = 1,
        .n = 3,
        .time_ms = INT64_C(1795222926350),
        .data = STR("{\"worker\":\"w-1\",\"sandbox_id\":\"i0123456789abcdefghij\",\"sandbox_"
                    "origin\":\"new\","
                    "\"template\":\"claude\",\"arguments\":[\"--output-format\",\"stream-json\",\"-"
                    "-verbose\"],"
                    "\"arguments_hash\":"
                    "\"0f8e3e4b0b2f8b8fb3d1a6b8f0ad0f0d7e6b6a3fb0e1dca3a0c9f3b6f7b1f2aa\","
                    "\"prompt_hash\":"
                    "\"6c1f7d0e4b0a55fd0aa1c2d94a8b7ce35b7a9d22d1f2a3b4c5d6e7f8091a2b3c\"}")};

    (void)state;
    check_event("attempt_started.json", &e);
}

static void example_of_a_heartbeat(void **state)
{
    struct event e = {
        .type = EVENT_RUN_HEARTBEAT,
        .attempt = 1,
        .epoch = 1,
        .n = 4,
        .time_ms = INT64_C(1795222986350),
        .data = STR("{\"elapsed_ms\":60000,\"idle_ms\":4100,\"lines\":118,\"bytes\":90512,"
                    "\"cost_usd\":0.0104,\"sandbox_cost_usd\":0.00092}")};

    (void)state;
    check_event("heartbeat.json", &e);
}

static void example_of_a_terminal(void **state)
{
    struct event e = {
        .type = EVENT_RUN_COMPLETED,
        .attempt = 1,
        .epoch = 1,
        .n = 5,
        .time_ms = INT64_C(1795222931550),
        .cost_usd = 0.0213,
        .data = STR("{\"state\":\"completed\",\"outcome\":\"ok\",\"attempts\":1,"
                    "\"cost_usd\":0.0213,\"result\":\"12 files.\"}"),
    };

    (void)state;
    check_event("terminal.json", &e);
}

/* --- all of them ---------------------------------------------------------------- */

static size_t add_files(const char *folder, CMUnitTestFunction fn, struct CMUnitTest *tests,
                        size_t n)
{
    char path[512];
    struct dirent *d;
    DIR *dir;

    (void)snprintf(path, sizeof(path), SF_SOURCE_DIR "/schema/examples/%s", folder);
    dir = opendir(path);
    while (dir && (d = readdir(dir)) && n < FILES_MAX) {
        char *file = NULL;

        if (d->d_name[0] == '.' || asprintf(&file, "%s/%s", path, d->d_name) < 0)
            continue;
        tests[n++] = (struct CMUnitTest){
            .name = strrchr(file, '/') + 1, .test_func = fn, .initial_state = file};
    }
    if (dir)
        (void)closedir(dir);
    return n;
}

static const struct CMUnitTest singles[] = {
    cmocka_unit_test(request_schema_has_the_fields),
    cmocka_unit_test(request_schema_has_the_ranges),
    cmocka_unit_test(event_schema_has_the_attributes),
    cmocka_unit_test(example_of_a_line),
    cmocka_unit_test(example_of_a_sandbox_s_end),
    cmocka_unit_test(example_of_a_start),
    cmocka_unit_test(example_of_a_heartbeat),
    cmocka_unit_test(example_of_a_terminal),
};

int main(void)
{
    struct CMUnitTest tests[FILES_MAX];
    size_t n = add_files("invalid", check_invalid, tests, 0), files, failed;

    files = n = add_files("valid", check_valid, tests, n);
    if (n < 60 || n + COUNTOF(singles) > FILES_MAX) /* an empty folder must not pass */
        return 1;
    for (size_t i = 0; i < COUNTOF(singles); i++)
        tests[n++] = singles[i];
    failed = (size_t)_cmocka_run_group_tests("examples", tests, n, NULL, NULL);
    for (size_t i = 0; i < files; i++)
        free(tests[i].initial_state);
    return failed != 0;
}

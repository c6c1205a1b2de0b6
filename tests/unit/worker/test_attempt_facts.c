/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an attempt's facts tell whether two attempts were given the same, and show
 * nothing that a user wrote. Proof: known hashes (b2sum -l 256), and a table of changes each
 * of which changes its own hash and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "worker/run/attempt_facts.h"
#include "common/banned.h"

#define ID "\"v\":1,\"run_id\":\"0197a0b4-0000-7000-8000-000000000001\""

static cJSON *facts_of(const char *request, const cJSON *files)
{
    struct run_request q;
    struct claude_args a;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(1 << 20);
    cJSON *tree = NULL;

    if (run_request_parse(str_of(request), &q, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    q.files = files;
    struct claude_want want = {.request = &q, .attempt = 1};
    assert_int_equal(claude_args_make(&want, &a, &err), ERR_OK);
    buf_addc(&out, '{');
    attempt_facts_write(&q, &a, &out);
    buf_addc(&out, '}');
    assert_int_equal(json_parse(buf_str(&out), 0, &tree, &err), ERR_OK);
    claude_args_release(&a);
    run_request_release(&q);
    return tree;
}

static const char *const members[] = {"template", "arguments_hash", "prompt_hash",
                                      "system_prompt_hash", "files_hash"};

static struct row {
    const char *name, *request, *files;
    const char *changed; /* one letter a member, in their order: = or x */
} rows[] = {
    {"the same", "{" ID ",\"prompt\":\"secret words\"}", NULL, "====="},
    {"another prompt", "{" ID ",\"prompt\":\"secret word\"}", NULL, "==x=="},
    {"another model", "{" ID ",\"prompt\":\"secret words\",\"model\":\"m\"}", NULL, "=x==="},
    {"a system prompt", "{" ID ",\"prompt\":\"secret words\",\"system_prompt\":\"hidden\"}", NULL,
     "=x=x="},
    {"a schema", "{" ID ",\"prompt\":\"secret words\",\"json_schema\":{\"title\":\"hidden\"}}",
     NULL, "=x==="},
    {"a file", "{" ID ",\"prompt\":\"secret words\"}", "[{\"path\":\"a\",\"content\":\"hidden\"}]",
     "====x"},
    {"another template", "{" ID ",\"prompt\":\"secret words\",\"template\":\"t\"}", NULL, "x===="},
};

static void tells_apart(void **state)
{
    const struct row *row = *state;
    struct err err;
    cJSON *files = NULL;

    if (row->files)
        assert_int_equal(json_parse(str_of(row->files), 0, &files, &err), ERR_OK);
    AUTO_JSON *base = facts_of(rows[0].request, NULL), *other = facts_of(row->request, files);
    char *text = cJSON_PrintUnformatted(other);

    for (size_t i = 0; i < COUNTOF(members); i++) {
        const char *a = json_get_string(base, members[i]), *b = json_get_string(other, members[i]);
        bool same = a == b || (a && b && strcmp(a, b) == 0);

        if (same != (row->changed[i] == '='))
            fail_msg("%s: %s and %s", members[i], a ? a : "none", b ? b : "none");
    }
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "hidden"));
    cJSON_free(text);
    cJSON_Delete(files);
}

static void hashes_as_b2sum_does(void **state)
{
    char out[ATTEMPT_FACTS_HASH_TEXT];

    (void)state;
    assert_string_equal(attempt_facts_hash(STR("secret words"), out),
                        "8ce2c436200a988022d25b5a546a10f1e285edaf3274dc142cc598d80cda2836");
    assert_string_equal(attempt_facts_hash((struct str){0}, out),
                        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

static void long_arguments_are_hashes(void **state)
{
    char request[1024], name[200];
    const cJSON *arguments;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    (void)snprintf(request, sizeof(request),
                   "{" ID ",\"prompt\":\"p\",\"allowed_tools\":[\"Bash(%s)\",\"Read\"]}", name);
    AUTO_JSON *facts = facts_of(request, NULL);
    arguments = json_get(facts, "arguments");
    const cJSON *tool = cJSON_GetArrayItem(arguments, cJSON_GetArraySize(arguments) - 3);
    const cJSON *last = cJSON_GetArrayItem(arguments, cJSON_GetArraySize(arguments) - 1);
    assert_string_equal(last->valuestring, "Read");
    assert_memory_equal(tool->valuestring, "blake2b:", 8);
    assert_int_equal(strlen(tool->valuestring), 8 + 64);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];
    const struct CMUnitTest others[] = {cmocka_unit_test(hashes_as_b2sum_does),
                                        cmocka_unit_test(long_arguments_are_hashes)};

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = tells_apart, .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("attempt_facts", tests, NULL, NULL) +
           cmocka_run_group_tests_name("attempt_facts, by hand", others, NULL, NULL);
}

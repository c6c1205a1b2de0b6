/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the body of a create request is taken as the service takes it, and what a sandbox here
 * cannot have is refused, not forgotten. A template's name never leads out of its folder.
 * Proof: bodies good and bad as rows, names as rows. */
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/control/new_sandbox.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *members; /* behind templateID */
    const char *want;           /* in the message; NULL: it is good */
} rows[] = {
    {"nothing else", "", NULL},
    {"unknown", ",\"future\":{\"x\":1}", NULL},
    {"nulls", ",\"timeout\":null,\"metadata\":null,\"envVars\":null,\"network\":null,\"mcp\":null",
     NULL},
    {"all",
     ",\"timeout\":1,\"metadata\":{\"a\":\"b\"},\"envVars\":{\"A\":\"\"},\"autoPause\":true,"
     "\"autoResume\":{\"enabled\":true},\"allow_internet_access\":true,\"volumeMounts\":[]",
     NULL},
    {"longest", ",\"timeout\":86400", NULL},
    {"too long", ",\"timeout\":86401", "cannot be greater than 24 hours"},
    {"none", ",\"timeout\":0", "greater than 0"},
    {"negative", ",\"timeout\":-5", "greater than 0"},
    {"half", ",\"timeout\":1.5", "whole number"},
    {"metadata of a number", ",\"metadata\":{\"a\":1}", "'metadata' must"},
    {"metadata as a list", ",\"metadata\":[\"a\"]", "'metadata' must"},
    {"empty name", ",\"envVars\":{\"\":\"x\"}", "'envVars' must"},
    {"name with =", ",\"envVars\":{\"A=\":\"x\"}", "a name with '='"},
    {"pause 1", ",\"autoPause\":1", "'autoPause' must"},
    {"memory alone", ",\"autoPauseMemory\":false", "needs autoPause"},
    {"memory with resume",
     ",\"autoPause\":true,\"autoPauseMemory\":false,\"autoResume\":{\"enabled\":true}",
     "needs autoPause"},
    {"without memory", ",\"autoPause\":true,\"autoPauseMemory\":false", "not supported"},
    {"with memory", ",\"autoPause\":true,\"autoPauseMemory\":true", NULL},
    {"volumes", ",\"volumeMounts\":[{\"name\":\"v\",\"path\":\"/v\"}]", "'volumeMounts' is not"},
    {"tools", ",\"mcp\":{\"a\":{}}", "'mcp' is not supported"},
    {"network of nothing", ",\"network\":{}", NULL},
    {"network as a list", ",\"network\":[]", "'network' must"},
    {"domains alone", ",\"network\":{\"allowOut\":[\"a.example\"]}", "in deny out"},
    {"proxy", ",\"network\":{\"egressProxy\":{\"address\":\"a:1\"}}", "not supported"},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF text = BUF_INIT(4096);
    AUTO_JSON *body = NULL;
    struct new_sandbox out;
    struct err e = ERR_INIT;

    buf_addf(&text, "{\"templateID\":\"base\"%s}", r->members);
    assert_int_equal(json_parse(buf_str(&text), 0, &body, NULL), ERR_OK);
    enum err_code rc = new_sandbox_parse(body, true, &out, &e);
    assert_string_equal(err_name(rc), r->want == NULL ? "OK" : "INVALID");
    if (r->want != NULL)
        assert_non_null(strstr(e.msg, r->want));
    else
        assert_true(str_is(out.template, "base"));
}

static void versions(void **state)
{
    AUTO_JSON *body = cJSON_Parse("{\"templateID\":\"x\",\"secure\":true}");
    AUTO_JSON *plain = cJSON_Parse("{\"templateID\":\"x\",\"allow_internet_access\":false}");
    AUTO_JSON *none = cJSON_Parse("{}");
    struct new_sandbox out;

    (void)state;
    assert_int_equal(new_sandbox_parse(plain, true, &out, NULL), ERR_OK);
    assert_true(out.secure && out.timeout_s == TIMEOUT_V2_S && out.internet == NO);
    assert_int_equal(new_sandbox_parse(plain, false, &out, NULL), ERR_OK);
    assert_true(!out.secure && out.timeout_s == TIMEOUT_V1_S);
    assert_int_equal(new_sandbox_parse(body, false, &out, NULL), ERR_OK);
    assert_true(out.secure && out.internet == UNTOLD);
    assert_int_equal(new_sandbox_parse(none, true, &out, NULL), ERR_INVALID);
}

static void names(void **state)
{
    static const struct {
        const char *text, *name, *tag; /* name NULL: refused */
    } cases[] = {
        {"base", "base", ""},
        {"BASE", "base", ""},
        {"team/Base:v1", "base", "v1"},
        {"a_b.c-1", "a_b.c-1", ""},
        {"base:Default", "base", "default"},
        {"", NULL, NULL},
        {".", NULL, NULL},
        {"..", NULL, NULL},
        {"../base", NULL, NULL},
        {"a/../b", NULL, NULL},
        {"/base", NULL, NULL},
        {"base/", NULL, NULL},
        {"a/b/c", NULL, NULL},
        {"base:", NULL, NULL},
        {":v1", NULL, NULL},
        {"base:a/b", NULL, NULL},
        {"-x", NULL, NULL},
        {"b\xc3\xa4se", NULL, NULL},
        {"a b", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct template_ref ref;
        enum err_code rc = template_ref_parse(str_of(cases[i].text), &ref, NULL);

        assert_string_equal(err_name(rc), cases[i].name != NULL ? "OK" : "INVALID");
        if (cases[i].name == NULL)
            continue;
        assert_string_equal(ref.name, cases[i].name);
        assert_string_equal(ref.tag, cases[i].tag);
    }
    assert_int_equal(template_ref_parse((struct str){"a\0b", 3}, &(struct template_ref){0}, NULL),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(versions),
        cmocka_unit_test(names),
    };
    int failed = TABLE_RUN("new_sandbox table", rows, check);

    return failed + cmocka_run_group_tests_name("new_sandbox", more, NULL, NULL);
}

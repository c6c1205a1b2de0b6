/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: out of memory is an error like any other: told as NOMEM, nothing lost, nothing
 * leaked, and the next try works.
 * Proof: each scenario runs with its first, second, … allocation failing until none is left;
 * ASan sees what is leaked. */
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/ini.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/option/option.h"
#include "common/secret/redact.h"
#include "tests/lib/heap.h"
#include "tests/lib/table.h"

static enum err_code fill_a_buf(struct err *err)
{
    AUTO_BUF b = BUF_INIT(1 << 16);
    char *taken;

    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    base64_add(&b, STR("bytes"));
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "buf");
    taken = buf_take(&b);
    free(taken);
    taken = buf_take(&b); /* an empty one allocates, too */
    if (!taken)
        return err_set(err, ERR_NOMEM, "buf_take");
    free(taken);
    return ERR_OK;
}

static enum err_code copy_a_view(struct err *err)
{
    char *copy = str_dup(STR("view"));

    if (!copy)
        return err_set(err, ERR_NOMEM, "str_dup");
    free(copy);
    return ERR_OK;
}

static enum err_code decode_base64(struct err *err)
{
    AUTO_BUF out = BUF_INIT(100);

    return base64_decode(STR("Zm9vYmFy"), &out, err);
}

static const char object[] = "{\"a\":[1,2,{\"b\":\"\\u0000x\"}],\"c\":{\"d\":\"text\",\"e\":null}}";

static enum err_code parse_a_tree(struct err *err)
{
    AUTO_JSON *tree = NULL;

    return json_parse(str_of(object), 0, &tree, err);
}

static enum err_code parse_strictly(struct err *err)
{
    AUTO_JSON *tree = NULL;

    return json_parse(STR("{\"a\":{\"c\":1,\"d\":2},\"b\":\"text\"}"), JSON_STRICT, &tree, err);
}

static enum err_code shorten(struct err *err)
{
    AUTO_BUF out = BUF_INIT(1000);

    return json_shorten(STR("[\"0123456789012345678901234567890123456789012345678901234567890\","
                            "\"0123456789012345678901234567890123456789012345678901234567890\"]"),
                        100, &out, err);
}

static enum err_code unquote(struct err *err)
{
    AUTO_BUF out = BUF_INIT(1000);

    return json_unquote(STR("\"a\\n\\u20ac b\""), &out, err);
}

struct settings {
    char *text;
    struct opt_list list;
};

static enum err_code parse_options(struct err *err)
{
    static const struct opt rows[] = {
        {.name = "text",
         .type = OPT_STRING,
         .at = offsetof(struct settings, text),
         .def = "x",
         .flags = OPT_NO_ENV},
        {.name = "list",
         .type = OPT_LIST,
         .at = offsetof(struct settings, list),
         .def = "a,b",
         .flags = OPT_NO_ENV},
    };
    char name[] = "test", one[] = "--text=y", two[] = "--list=c", three[] = "--list=d";
    char *argv[] = {name, one, two, three, NULL};
    struct settings s = {0};
    int words;
    enum err_code rc = option_parse(rows, COUNTOF(rows), &s, 4, argv, &words, err);

    option_release(rows, COUNTOF(rows), &s);
    return rc;
}

static enum err_code know_a_secret(struct err *err)
{
    struct redactor *r = NULL;
    char text[] = "x unknown-0001";
    enum err_code rc = redactor_new(&r, err);

    for (int i = 0; rc == ERR_OK && i < 20; i++) {
        text[13] = (char)('a' + i);
        rc = redactor_know(r, (struct str){text + 2, 12}, err);
    }
    if (rc == ERR_OK)
        assert_int_equal(redactor_cut(r, text, 14, 0), 1);
    redactor_free(r);
    return rc;
}

static enum err_code parse_ini(struct err *err)
{
    struct ini ini;
    enum err_code rc = ini_parse("f", STR("a = b\n[x]\nc = \"d\"\ne = f\n[y]\n"), &ini, err);

    if (rc == ERR_OK)
        ini_release(&ini);
    return rc;
}

static struct row {
    const char *name;
    enum err_code (*run)(struct err *err);
} rows[] = {
    {"buf", fill_a_buf},          {"str_dup", copy_a_view},        {"base64", decode_base64},
    {"json_parse", parse_a_tree}, {"strict", parse_strictly},      {"json_shorten", shorten},
    {"json_unquote", unquote},    {"option_parse", parse_options}, {"redact", know_a_secret},
    {"ini", parse_ini},
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

/* "out of memory" must be loggable. */
static void a_log_line_needs_no_memory(void **state)
{
    struct err e = {.code = ERR_NOMEM, .msg = "out of memory"};

    (void)state;
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        log_setup(LOG_INFO, (enum log_format)format, STDERR_FILENO);
        heap_fail_at(1);
        log_event(LOG_ERROR, "x", LF_ERR(&e), LF_USER("prompt", STR("text")), LF_INT("n", 1));
        assert_int_equal(heap_seen(), 0);
        heap_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_log_line_needs_no_memory)};
    int failed;

    /* cJSON lives in its own library, out of the linker's reach */
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = malloc, .free_fn = free});
    failed = TABLE_RUN("torture", rows, check);
    return failed + cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
}

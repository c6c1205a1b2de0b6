/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a batch file's lines get the same ids whenever the file is submitted, and no two of
 * them one; what is wrong with the file as a whole, or with the options, is told.
 * Proof: files of every form, checked once and read again; each record that comes out is read by
 * the workers' own parser. */
#include "batch_world.h"
#include "common/gzip.h"

/* The prompts and custom_ids that come out, "custom_id=prompt|…". */
static void told(const char *text, const char *template, struct client *c, char *out, size_t size)
{
    struct batch_file *f = open_with((struct batch_opts){.flags = c}, text, strlen(text), template);
    struct seen_bad bad = {0};
    struct made made;
    int n = 0;

    (void)check_file(f, &bad);
    out[0] = '\0';
    for (struct run_request r; next(f, &r, &made); run_request_release(&r))
        n += snprintf(out + n, size - (size_t)n, "%s=%s|", r.custom_id, r.prompt);
    batch_file_close(f);
}

static void prompts_are_what_was_written(void **state)
{
    char out[1024];

    (void)state;
    told("{\"custom_id\":\"a\",\"prompt\":\" x\\ty\\u00e9 \"}\n", NULL, NULL, out, sizeof out);
    assert_string_equal(out, "a= x\ty\xc3\xa9 |");
    told("  keeps its space \r\n", NULL, NULL, out, sizeof out);
    assert_string_equal(strchr(out, '='), "=  keeps its space |");
    told("custom_id,first name,n\na,\"says \"\"hi\"\"\n\",1\n", "{{first name}} has {{n}} \\{{n}}.",
         NULL, out, sizeof out);
    assert_string_equal(out, "a=says \"hi\"\n has 1 {{n}}.|");
    told("{\"custom_id\":\"a\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":["
         "{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"text\",\"text\":\"two\"}]}]}}\n",
         NULL, NULL, out, sizeof out);
    assert_string_equal(out, "a=one\n\ntwo|");
}

/* Documented: python3 -c 'hashlib.blake2b(b"write a haiku", digest_size=16).hexdigest()[:16]' */
static void names_of_nameless_lines(void **state)
{
    char out[256];

    (void)state;
    told("write a haiku\nanother\nwrite a haiku\n", NULL, NULL, out, sizeof out);
    assert_memory_equal(out, "auto-01128211783a2509=write a haiku|", 36);
    char *third = strrchr(out, '=') - strlen("auto-0123456789abcdef-2");
    assert_memory_equal(third, out, strlen("auto-0123456789abcdef"));
    assert_memory_equal(third + strlen("auto-0123456789abcdef"), "-2=", 3);
}

static void first_id(struct batch_file *f, char out[UUID_TEXT])
{
    struct run_request r;
    struct made made;

    assert_true(next(f, &r, &made));
    memcpy(out, made.run_id, UUID_TEXT);
    run_request_release(&r);
}

static void ids_of(const char *text, const char *batch, struct client *c, char id[2][UUID_TEXT],
                   char name[64])
{
    struct batch_file *f =
        open_with((struct batch_opts){.batch = batch, .flags = c}, text, strlen(text), NULL);
    struct seen_bad bad = {0};

    (void)check_file(f, &bad);
    snprintf(name, 64, "%s", batch_file_name(f));
    first_id(f, id[0]);
    first_id(f, id[1]);
    batch_file_close(f);
}

static void same_file_same_ids(void **state)
{
    static const char text[] = "{\"custom_id\":\"a\",\"prompt\":\"x\"}\n{\"prompt\":\"y\"}\n";
    static const char more[] = "{\"custom_id\":\"a\",\"prompt\":\"x\"}\n{\"prompt\":\"z\"}\n";
    struct client model = {.priority = -1, .model = (char[]){"m"}};
    struct client tenant = {.priority = -1, .tenant = (char[]){"t"}};
    char a[2][UUID_TEXT], b[2][UUID_TEXT], name[64], other[64];

    (void)state;
    ids_of(text, "b1", NULL, a, name);
    ids_of(text, "b1", NULL, b, other);
    assert_string_equal(a[0], b[0]);
    assert_string_equal(a[1], b[1]);
    ids_of(text, "b2", NULL, b, other);
    assert_string_not_equal(a[0], b[0]);
    assert_string_not_equal(a[1], b[1]);
    ids_of(text, NULL, NULL, a, name); /* without a name: by the content */
    ids_of(text, NULL, NULL, b, other);
    assert_string_equal(name, other);
    assert_string_equal(a[0], b[0]);
    ids_of(more, NULL, NULL, b, other);
    assert_string_not_equal(name, other);
    ids_of(text, NULL, &model, b, other); /* and by the options */
    assert_string_not_equal(name, other);
    ids_of(text, NULL, &tenant, b, other);
    assert_string_not_equal(name, other);
}

/* Flags fill in what a line leaves out, and no more. */
static void flags_fill_in(void **state)
{
    static const char text[] =
        "{\"custom_id\":\"a\",\"prompt\":\"x\"}\n"
        "{\"custom_id\":\"b\",\"prompt\":\"x\",\"model\":\"mine\"}\n"
        "{\"custom_id\":\"c\",\"prompt\":\"x\",\"session\":{\"id\":\"s2\"}}\n";
    struct client c = {.priority = 7, .model = (char[]){"m"}, .session = (char[]){"s1"}};
    struct batch_file *f = open_with((struct batch_opts){.flags = &c}, text, strlen(text), NULL);
    static const char *const models[] = {"m", "mine", "m"}, *const sessions[] = {"s1", "s1", "s2"};
    struct seen_bad bad = {0};
    struct run_request r;
    struct made made;

    (void)state;
    assert_int_equal(check_file(f, &bad).good, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(next(f, &r, &made));
        assert_string_equal(r.model, models[i]);
        assert_string_equal(r.session_id, sessions[i]);
        assert_int_equal(r.priority, 7);
        run_request_release(&r);
    }
    batch_file_close(f);
}

static void bad_flags(void **state)
{
    const struct {
        struct client flags;
        const char *batch, *why;
    } cases[] = {
        {{.priority = -1, .model = (char[]){"no model"}}, NULL, "model"},
        {{.priority = -1, .on_busy = (char[]){"reject"}}, NULL, "--session"},
        {{.priority = -1, .tenant = (char[]){"-"}}, NULL, "tenant"},
        {{.priority = -1, .system_prompt = (char[]){"sk-ant-oat01-x"}}, NULL, "secret"},
        {{.priority = -1}, "no name", "--batch"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct batch_opts opts = {
            .path = "/dev/null", .flags = &cases[i].flags, .batch = cases[i].batch};
        struct batch_file *f;
        struct err err = ERR_INIT;

        assert_string_equal(err_name(batch_file_open(&opts, &f, &err)), "USAGE");
        if (!strstr(err.msg, cases[i].why))
            fail_msg("'%s' is not in '%s'", cases[i].why, err.msg);
    }
}

/* What is wrong with the file as a whole, before or while it is checked. */
static void bad_files(void **state)
{
    static const struct {
        const char *text, *template, *why;
        size_t n;
    } cases[] = {
        {"a,b\n", "{{c}}", ":1:1: 'c' is no column of", 4},
        {"a,a\n", "{{a}}", "two columns", 4},
        {"a\"b\n", "x", "no CSV", 4},
        {"\x1f\x8b\x08nonsense", NULL, "gzip", 11},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct batch_file *f =
            open_with((struct batch_opts){0}, cases[i].text, cases[i].n, cases[i].template);
        struct batch_counts counts;
        struct seen_bad bad = {0};
        struct err err = ERR_INIT;

        assert_string_equal(err_name(batch_file_check(f, &events, &bad, &counts, &err)), "INVALID");
        if (!strstr(err.msg, cases[i].why))
            fail_msg("'%s' is not in '%s'", cases[i].why, err.msg);
        batch_file_close(f);
    }
}

static void packed(void **state)
{
    static const char text[] = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n";
    AUTO_BUF gz = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct seen_bad bad = {0};
    struct batch_counts counts;

    (void)state;
    assert_int_equal(gzip_pack((struct str){text, strlen(text)}, &gz, &err), ERR_OK);
    struct batch_file *f = open_with((struct batch_opts){0}, gz.p, gz.len, NULL);
    assert_int_equal(check_file(f, &bad).good, 2);
    struct made made;
    struct run_request r;
    assert_true(next(f, &r, &made));
    assert_string_equal(r.prompt, "a");
    run_request_release(&r);
    batch_file_close(f);
    /* cut short */
    f = open_with((struct batch_opts){0}, gz.p, gz.len - 5, NULL);
    assert_string_equal(err_name(batch_file_check(f, &events, &bad, &counts, &err)), "INVALID");
    batch_file_close(f);
}

/* The number of the one broken line among many is right, and memory for a long line is bounded. */
static void broken_500th_line(void **state)
{
    struct seen_bad bad = {0};
    AUTO_BUF text = BUF_INIT(8 << 20);

    (void)state;
    for (int i = 1; i <= 1000; i++)
        buf_addf(&text, i == 500 ? "{\"prompt\":%d\n" : "{\"prompt\":\"p%d\"}\n", i);
    for (int i = 0; i < 3 << 20; i++)
        buf_addc(&text, 'x');
    struct batch_file *f = open_with((struct batch_opts){0}, text.p, text.len, NULL);
    struct batch_counts counts = check_file(f, &bad);
    assert_int_equal(bad.line, 500);
    assert_int_equal(counts.good, 999);
    assert_int_equal(counts.bad, 2);
    batch_file_close(f);
}

/* Lines enough for the second thread: each is told and found as when it stands alone. */
static void many_lines(void **state)
{
    enum { LINES = 20000 };
    struct seen_bad bad = {0};
    struct run_request r;
    struct made made;
    char want[32];
    int n = 0;
    AUTO_BUF text = BUF_INIT(8 << 20);

    (void)state;
    for (int i = 0; i < LINES; i++) {
        if (i % 1000 == 999)
            buf_adds(&text, "  \n");
        if (i % 100 == 50) /* not plain */
            buf_addf(&text, " {\"custom_id\":\"c%d\",\"prompt\":\"p\",\"tags\":[\"t\"]}\r\n", i);
        else if (i % 100 == 51) /* bad */
            buf_addf(&text, "{\"custom_id\":\"c%d\",\"promt\":\"p\"}\n", i);
        else if (i % 100 == 52) /* the first line again */
            buf_adds(&text, "{\"custom_id\":\"c0\",\"prompt\":\"p 0\"}\n");
        else
            buf_addf(&text, "{\"custom_id\":\"c%d\",\"prompt\":\"p %d\"}\n", i, i);
    }
    struct batch_file *f = open_with((struct batch_opts){0}, text.p, text.len, NULL);
    struct batch_counts counts = check_file(f, &bad);
    assert_int_equal(counts.bad, LINES / 100);
    assert_int_equal(bad.line, 52);
    assert_int_equal(counts.duplicates, LINES / 100);
    assert_int_equal(counts.good, LINES - LINES / 50);
    for (; next(f, &r, &made); n++) {
        n += n % 100 == 51 ? 2 : 0;
        snprintf(want, sizeof want, "c%d", n);
        assert_string_equal(r.custom_id, want);
        run_request_release(&r);
    }
    assert_int_equal(n, LINES);
    batch_file_close(f);
}

/* A file that is written to between check and submit is noticed. */
static void changed_meanwhile(void **state)
{
    char path[] = "/tmp/sandfleet-batch-XXXXXX";
    struct batch_opts opts = {.path = path, .flags = &flags};
    struct batch_file *f;
    struct batch_counts counts;
    struct seen_bad bad = {0};
    struct made made;
    struct err err = ERR_INIT;
    int64_t line;
    AUTO_BUF value = BUF_INIT(4096);

    (void)state;
    write_file("{\"custom_id\":\"a\",\"prompt\":\"x\"}\n", 31, path);
    assert_int_equal(batch_file_open(&opts, &f, &err), ERR_OK);
    assert_int_equal(batch_file_check(f, &events, &bad, &counts, &err), ERR_OK);
    FILE *again = fopen(path, "w");
    assert_non_null(again);
    fputs("{\"a\":1}\n{\"b\":1}\n", again);
    fclose(again);
    assert_string_equal(err_name(batch_file_next(f, &value, &made, &line, &err)), "CONFLICT");
    batch_file_close(f);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest whole[] = {
        cmocka_unit_test(prompts_are_what_was_written),
        cmocka_unit_test(names_of_nameless_lines),
        cmocka_unit_test(same_file_same_ids),
        cmocka_unit_test(flags_fill_in),
        cmocka_unit_test(bad_flags),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(packed),
        cmocka_unit_test(broken_500th_line),
        cmocka_unit_test(many_lines),
        cmocka_unit_test(changed_meanwhile),
    };

    return cmocka_run_group_tests_name("batch_file as a whole", whole, NULL, NULL);
}

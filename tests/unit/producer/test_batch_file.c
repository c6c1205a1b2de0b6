/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a broken line of a batch file is known, with its number and reason, before anything
 * is sent; good lines get the same ids whenever the file is submitted, and no two of them one.
 * Proof: files as rows, of every form, checked once and read again; each record that comes out is
 * read by the workers' own parser. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/gzip.h"
#include "producer/batch/batch_file.h"
#include "tests/lib/table.h"

struct row {
    const char *name, *text;
    size_t n; /* 0: strlen(text) */
    int64_t good, duplicates;
    int64_t bad_line; /* the first bad one; 0: none */
    int64_t column;
    const char *why; /* a part of its message, or of its pointer */
    enum batch_form form;
    const char *template;
};

#define GOOD(n)      .good = (n)
#define BAD(l, c, w) .bad_line = (l), .column = (c), .why = (w)

static struct row rows[] = {
    {"empty file", "", GOOD(0)},
    {"blank lines", "\n\n  \n", GOOD(0)},
    {"two good lines", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n", GOOD(2)},
    {"last line without newline", "{\"prompt\":\"a\"}", GOOD(1)},
    {"CRLF", "{\"prompt\":\"a\"}\r\n{\"prompt\":\"b\"}\r\n", GOOD(2)},
    {"byte order mark", "\xef\xbb\xbf{\"prompt\":\"a\"}\n", GOOD(1)},
    {"space around objects", " {\"prompt\":\"a\"}\t\n\n  { \"prompt\" : \"b\" } \n", GOOD(2)},
    {"cut object", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"\n", GOOD(1), BAD(2, 14, "byte 13")},
    {"column behind space", "   {\"prompt\":x}\n", BAD(1, 14, "no such value")},
    {"two objects a line", "{\"prompt\":\"a\"} {\"prompt\":\"b\"}\n", BAD(1, 16, "follows")},
    {"array", "[{\"prompt\":\"a\"}]\n", BAD(1, 1, "one object a line")},
    {"text among objects", "{\"prompt\":\"a\"}\nhello\n", GOOD(1), BAD(2, 1, "--format text")},
    {"number as prompt", "{\"prompt\":5}\n", BAD(1, 0, "/prompt")},
    {"null prompt", "{\"prompt\":null}\n", BAD(1, 0, "/prompt")},
    {"no prompt", "{\"custom_id\":\"a\"}\n", BAD(1, 0, "/prompt")},
    {"nothing in it", "{}\n", BAD(1, 0, "missing_prompt")},
    {"empty prompt", "{\"prompt\":\"\"}\n", BAD(1, 0, "empty")},
    {"blank prompt", "{\"prompt\":\" \\n\\t\"}\n", BAD(1, 0, "empty")},
    {"misspelt field", "{\"Prompt\":\"a\"}\n", BAD(1, 0, "did you mean 'prompt'")},
    {"duplicate key", "{\"prompt\":\"a\",\"prompt\":\"b\"}\n", BAD(1, 0, "twice")},
    {"duplicate key inside", "{\"prompt\":\"a\",\"metadata\":{\"a\":1,\"a\":2}}\n",
     BAD(1, 0, "twice")},
    {"escaped NUL", "{\"prompt\":\"a\\u0000b\"}\n", BAD(1, 0, "u0000")},
    {"raw NUL", "{\"prompt\":\"a\0b\"}\n", 17, BAD(1, 13, "control")},
    {"lone surrogate", "{\"prompt\":\"\\ud800\"}\n", BAD(1, 0, "surrogate")},
    {"UTF-16", "\xff\xfe{\0\"\0p\0", 8, BAD(1, 1, "UTF-16")},
    {"UTF-16, big end", "\xfe\xff\0{\0\"\0p", 8, BAD(1, 1, "UTF-16")},
    {"number out of range", "{\"prompt\":\"a\",\"priority\":1e999}\n", BAD(1, 0, "range")},
    {"priority 10", "{\"prompt\":\"a\",\"priority\":10}\n", BAD(1, 0, "/priority")},
    {"an entry of a list", "{\"prompt\":\"a\",\"tags\":[\"a\",\"-\"]}\n", BAD(1, 0, "/tags")},
    {"the fleet's own field", "{\"prompt\":\"a\",\"run_id\":\"x\"}\n", BAD(1, 0, "/run_id")},
    {"tenant in a line", "{\"prompt\":\"a\",\"tenant\":\"x\"}\n", BAD(1, 0, "/tenant")},
    {"batch in a line", "{\"prompt\":\"a\",\"batch_id\":\"x\"}\n", BAD(1, 0, "--batch")},
    {"every kind of field",
     "{\"prompt\":\"a\",\"session\":{\"id\":\"s\"},\"env\":{\"A\":\"b\"},\"tags\":[\"t\"],\"max_"
     "turns\":3,"
     "\"max_budget_usd\":0.5,\"json_schema\":{},\"files\":[{\"path\":\"a\",\"content\":\"b\"}]}\n",
     GOOD(1)},
    {"the same line twice",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n", GOOD(1),
     .duplicates = 1},
    {"the same line, other order and space",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{ \"prompt\" : \"x\", \"custom_id\":\"a1\" }\n",
     GOOD(1), .duplicates = 1},
    {"one custom_id, two prompts",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{\"custom_id\":\"a1\",\"prompt\":\"y\"}\n", GOOD(1),
     BAD(2, 0, "custom_id 'a1'")},
    {"one custom_id, other spelling",
     "{\"custom_id\":\"a1\",\"prompt\":\"x\"}\n{\"custom_id\":\"a\\u0031\",\"prompt\":\"y\"}\n",
     GOOD(1), BAD(2, 0, "custom_id 'a1'")},
    {"one idempotency_key, two prompts",
     "{\"idempotency_key\":\"k\",\"prompt\":\"x\"}\n{\"idempotency_key\":\"k\",\"prompt\":\"y\"}\n",
     GOOD(1), BAD(2, 0, "/idempotency_key")},
    {"custom_id is a number", "{\"custom_id\":7,\"prompt\":\"x\"}\n", BAD(1, 0, "/custom_id")},
    {"custom_id of 129",
     "{\"custom_id\":\"" /* 129 a */
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"prompt\":\"x\"}\n",
     BAD(1, 0, "/custom_id")},
    {"a secret", "{\"prompt\":\"use sk-ant-oat01-AAAA\"}\n", BAD(1, 0, "secret")},
    {"an escaped secret", "{\"prompt\":\"use sk\\u002dant-oat01-AAAA\"}\n", BAD(1, 0, "secret")},
    {"nameless twins are two runs", "{\"prompt\":\"a\"}\n{\"prompt\":\"a\"}\n{\"prompt\":\"a\"}\n",
     GOOD(3)},

    {"plain text", "write a haiku\n\n  and a limerick\nwrite a haiku\n", GOOD(3)},
    {"plain text, CRLF and mark", "\xef\xbb\xbfone\r\ntwo\r\n", GOOD(2)},
    {"plain text, not UTF-8", "one\nt\xffwo\n", GOOD(1), BAD(2, 2, "UTF-8")},
    {"plain text, NUL", "one\nt\0wo\n", 9, GOOD(1), BAD(2, 0, "NUL")},
    {"plain text, a secret", "one\nsk-ant-oat01-AAAA\n", GOOD(1), BAD(2, 0, "secret")},
    {"an object among plain text", "one\n{\"prompt\":\"a\"}\n", GOOD(1),
     BAD(2, 1, "--format text")},
    {"braces among plain text", "one\n{two}\n", GOOD(2)},
    {"objects as text", "{\"prompt\":\"a\"}\n[x]\n", GOOD(2), .form = BATCH_TEXT},
    {"text as objects", "one\n", BAD(1, 1, "no object"), .form = BATCH_JSONL},

    {"Message Batches",
     "{\"custom_id\":\"a\",\"params\":{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":"
     "\"user\",\"content\":\"x\"}]}}\n"
     "{\"custom_id\":\"b\",\"params\":{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":"
     "\"user\",\"content\":\"x\"}]}}\n",
     GOOD(2)},
    {"Message Batches, twice",
     "{\"custom_id\":\"a\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}\n"
     "{\"custom_id\":\"a\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":\"y\"}]}}\n",
     GOOD(1), BAD(2, 0, "/custom_id")},
    {"Message Batches, no meaning",
     "{\"custom_id\":\"a\",\"params\":{\"top_p\":0.9,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"x\"}]}}\n",
     BAD(1, 0, "/params/top_p")},
    {"Message Batches, a prompt too",
     "{\"prompt\":\"p\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}\n",
     BAD(1, 0, "/prompt")},
    {"Message Batches, a field beside",
     "{\"custom_id\":\"a\",\"max_turns\":3,\"params\":{\"messages\":[{\"role\":\"user\","
     "\"content\":\"x\"}]}}\n",
     GOOD(1)},
    {"Message Batches, one field twice",
     "{\"custom_id\":\"a\",\"model\":\"n\",\"params\":{\"model\":\"m\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"x\"}]}}\n",
     BAD(1, 0, "twice")},
    {"Message Batches, a bad model",
     "{\"custom_id\":\"a\",\"params\":{\"model\":\"no "
     "model\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}\n",
     BAD(1, 0, "/params/model")},
    {"Message Batches, empty prompt",
     "{\"custom_id\":\"a\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}}\n",
     BAD(1, 0, "empty_prompt")},

    {"rows of CSV", "custom_id,file\na,one.c\nb,\"two, three.c\"\n", GOOD(2),
     .template = "Review {{file}}."},
    {"rows of CSV, quoted newline", "file\n\"a\nb\"\n\nc\n", GOOD(2),
     .template = "Review {{file}}."},
    {"rows of CSV, CRLF and mark", "\xef\xbb\xbfname,size\r\na,1\r\nb,2\r\n", GOOD(2),
     .template = "{{name}} {{size}}"},
    {"rows of CSV, header only", "a,b\n", GOOD(0), .template = "{{a}}"},
    {"rows of CSV, ragged", "a,b\n1,2\n1\n1,2,3\n", GOOD(1), BAD(3, 0, "1 fields, the header 2"),
     .template = "{{a}}"},
    {"rows of CSV, a line behind newlines", "a,b\n\"x\n\ny\",2\nbad\n", GOOD(1),
     BAD(5, 0, "fields"), .template = "{{a}}"},
    {"rows of CSV, text behind a quote", "a\n\"x\"y\nz\n", GOOD(1), BAD(2, 4, "closing quote"),
     .template = "{{a}}"},
    {"rows of CSV, quote never closed", "a\nx\n\"y\nz\n", GOOD(1), BAD(3, 1, "never closed"),
     .template = "{{a}}"},
    {"rows of CSV, bad UTF-8", "a,b\n1,\xff\n", BAD(2, 0, "field 2 is not UTF-8"),
     .template = "{{a}}"},
    {"rows of CSV, empty prompt", "a\n\" \"\n", BAD(2, 0, "empty"), .template = "{{a}}"},
    {"rows of CSV, bad custom_id", "custom_id,a\n-x,1\n", BAD(2, 0, "/custom_id"),
     .template = "{{a}}"},
    {"rows of CSV, twins", "a\n1\n1\n", GOOD(2), .template = "{{a}}"},
    {"rows of JSON", "{\"custom_id\":1,\"a\":\"x\\ny\",\"b\":true}\n{\"a\":\"\",\"b\":2.50}\n",
     GOOD(2), .template = "{{a}} {{b}}"},
    {"rows of JSON, a name is missing", "{\"a\":\"x\"}\n", BAD(1, 0, "{{b}} is missing"),
     .template = "{{a}} {{b}}"},
    {"rows of JSON, null", "{\"a\":null}\n", BAD(1, 0, "/a"), .template = "{{a}}"},
    {"rows of JSON, an object", "{\"a\":{}}\n", BAD(1, 0, "/a"), .template = "{{a}}"},
    {"rows of JSON, a name twice", "{\"a\":1,\"a\":2}\n", BAD(1, 0, "twice"), .template = "{{a}}"},
    {"rows of JSON, half a pair", "{\"a\":\"\\udc00\"}\n", BAD(1, 0, "surrogate"),
     .template = "{{a}}"},
    {"rows of JSON, params is a name", "{\"params\":\"x\"}\n", GOOD(1), .template = "{{params}}"},
    {"a value is not filled in again", "{\"a\":\"{{a}}\"}\n", GOOD(1), .template = "{{a}}"},
};

struct seen_bad {
    int64_t n, line, column;
    char why[512];
};

static void on_bad(void *ctx, const struct batch_problem *p)
{
    struct seen_bad *s = ctx;

    if (s->n++ > 0)
        return;
    s->line = p->line;
    s->column = p->column;
    snprintf(s->why, sizeof s->why, "%s %s", p->pointer, p->why.msg);
}

static const struct batch_check_events events = {.bad = on_bad};

static void write_file(const char *text, size_t n, char path[])
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static struct client flags = {.priority = -1};

static struct batch_file *open_with(struct batch_opts opts, const char *text, size_t n,
                                    const char *template)
{
    char path[] = "/tmp/sandfleet-batch-XXXXXX", template_path[] = "/tmp/sandfleet-tmpl-XXXXXX";
    struct batch_file *f = NULL;
    struct err err = ERR_INIT;

    write_file(text, n, path);
    opts.path = path;
    if (!opts.flags)
        opts.flags = &flags;
    if (template) {
        write_file(template, strlen(template), template_path);
        opts.template_path = template_path;
    }
    if (batch_file_open(&opts, &f, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    unlink(path);
    if (template)
        unlink(template_path);
    return f;
}

static struct batch_counts check_file(struct batch_file *f, struct seen_bad *bad)
{
    struct batch_counts counts;
    struct err err = ERR_INIT;

    if (batch_file_check(f, &events, bad, &counts, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return counts;
}

/* The next record, as a worker reads it. False: the end. */
static bool next(struct batch_file *f, struct run_request *r, struct made *made)
{
    struct err err = ERR_INIT;
    AUTO_BUF value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    int64_t line;

    if (batch_file_next(f, &value, made, &line, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    if (line == 0)
        return false;
    if (run_request_parse(buf_str(&value), r, &err) != ERR_OK)
        fail_msg("line %d: %s", (int)line, err.msg);
    assert_string_equal(r->run_id, made->run_id);
    assert_true(str_is(made->custom_id, r->custom_id));
    if (run_request_check_key(r, made->key, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return true;
}

static void check(void **state)
{
    const struct row *row = *state;
    struct batch_file *f = open_with((struct batch_opts){.form = row->form, .batch = "b1"},
                                     row->text, row->n ? row->n : strlen(row->text), row->template);
    struct seen_bad bad = {0};
    struct batch_counts counts = check_file(f, &bad);
    char ids[8][UUID_TEXT];
    struct made made;

    assert_int_equal(counts.good, row->good);
    assert_int_equal(counts.duplicates, row->duplicates);
    assert_int_equal(bad.line, row->bad_line);
    assert_int_equal(bad.column, row->column);
    assert_int_equal(counts.bad, bad.n);
    if (row->why && !strstr(bad.why, row->why))
        fail_msg("'%s' is not in '%s'", row->why, bad.why);

    int64_t n = 0;
    for (struct run_request r; next(f, &r, &made); run_request_release(&r)) {
        assert_true(n < 8);
        memcpy(ids[n], made.run_id, UUID_TEXT);
        for (int64_t i = 0; i < n; i++)
            assert_string_not_equal(ids[i], ids[n]);
        assert_null(strchr(r.prompt, '\r'));
        n++;
    }
    assert_int_equal(n, row->good);
    batch_file_close(f);
}

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

    return TABLE_RUN("batch_file", rows, check) +
           cmocka_run_group_tests_name("batch_file as a whole", whole, NULL, NULL);
}

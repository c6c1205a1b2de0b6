/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a broken line of a batch file is known, with its number and reason, before anything
 * is sent; good ones all get an id of their own.
 * Proof: files as rows, of every form, checked once and read again; each record that comes out is
 * read by the workers' own parser. */
#include "batch_world.h"

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

int main(void)
{
    return TABLE_RUN("batch_file", rows, check);
}

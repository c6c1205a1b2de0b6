/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no form of a known secret, and no key of a known format, is left in a text that was cut;
 * all else of it stays, its length too, and JSON stays JSON; however hostile the text, the time is
 * in proportion to it; and the redactor does not keep the secrets. Proof: tables of texts; every
 * form at every place; texts made to be slow; its memory searched. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json/json.h"
#include "common/secret/redact.h"
#include "tests/lib/table.h"

#include "common/banned.h"

#define TOKEN "sk-ant-oat01-Zf3.kQ~9"
#define ODD   "a\"b\\c/d<e>'f&g+h=i j"

static struct redactor *knowing(const char *const *secrets, size_t n)
{
    struct redactor *r = NULL;
    struct err err = ERR_INIT;

    assert_string_equal(err_name(redactor_new(&r, &err)), "OK");
    for (size_t i = 0; i < n; i++)
        assert_string_equal(err_name(redactor_know(r, str_of(secrets[i]), &err)), "OK");
    return r;
}

/* In memory that ends with the text, so that ASan sees a look behind it. */
static size_t cut(const struct redactor *r, const char *text, unsigned flags, char *out)
{
    size_t n = strlen(text);
    char *exact = malloc(n > 0 ? n : 1);

    assert_non_null(exact);
    memcpy(exact, text, n);
    size_t found = redactor_cut(r, exact, n, flags);
    memcpy(out, exact, n);
    out[n] = '\0';
    free(exact);
    return found;
}

/* --- places ------------------------------------------------------------------- */

static const char *const known[] = {"unknown-0001-long", "unknown-0001", "-long-tail-of-it",
                                    "tail-of-",          "short",        "abababab"};

static struct place {
    const char *name, *text, *want;
    size_t found;
    unsigned flags;
} places[] = {
    {"nothing", "", "", 0, 0},
    {"none", "nothing to see", "nothing to see", 0, 0},
    {"in the middle", "key=unknown-0001;", "key=************;", 1, 0},
    {"alone", "unknown-0001", "************", 1, 0},
    {"side by side", "unknown-0001unknown-0001", "************************", 2, 0},
    {"apart", "unknown-0001 unknown-0001", "************ ************", 2, 0},
    {"cut at the end", "x unknown-000", "x unknown-000", 0, 0},
    {"one begins with the other", "<unknown-0001-long>", "<*****************>", 1, 0},
    {"two that overlap", "<-long-tail-of-it>", "<****************>", 1, 0},
    {"overlapping halves", "unknown-0001-long-tail-of-it", "****************************", 1,
     false},
    {"itself, overlapping", "abababababab.", "************.", 1, 0},
    {"a short one is not looked for", "short", "short", 0, 0},
    {"nearly", "unknown-0002 unkunknown-0001", "unknown-0002 unk************", 1, 0},
    {"a pattern is not looked for", "AKIAABCDEFGHIJKLMNOP unknown-0001",
     "AKIAABCDEFGHIJKLMNOP ************", 1, REDACT_KNOWN},
    {"the text goes on", "x unknown-000", "x ***********", 1, REDACT_OPEN},
    {"the text may go on with the longer one", "x unknown-0001-l", "x **************", 1,
     REDACT_OPEN},
    {"too little of it to tell", "x unknown", "x unknown", 0, REDACT_OPEN},
    {"just enough of it", "x unknown-", "x ********", 1, REDACT_OPEN},
    {"another text goes on", "x unknowns", "x unknowns", 0, REDACT_OPEN},
    {"a key that goes on", "AKIAABCDEFGH", "************", 1, REDACT_OPEN},
    {"a long beginning that goes on", "-----BEGIN OPENSSH", "******************", 1, REDACT_OPEN},
};

static void check_place(void **state)
{
    const struct place *p = *state;
    struct redactor *r = knowing(known, COUNTOF(known));
    char out[256];

    assert_int_equal(cut(r, p->text, p->flags, out), p->found);
    assert_string_equal(out, p->want);
    redactor_free(r);
}

/* --- forms -------------------------------------------------------------------- */

/* made by Python: base64, json.dumps, urllib.parse.quote, …; a "|" stands where it begins and ends
 */
static struct form {
    const char *name, *secret, *text;
} forms[] = {
    {"as it is", TOKEN, "x |" TOKEN "| y"},
    {"base64", TOKEN, "x |c2stYW50LW9hdDAxLVpmMy5rUX45| y"},
    {"base64, one byte before", TOKEN, "eH|NrLWFudC1vYXQwMS1aZjMua1F+O|Q=="},
    {"base64, two bytes before", TOKEN, "eHh|zay1hbnQtb2F0MDEtWmYzLmtRfj|k="},
    {"base64 for URLs, one byte before", TOKEN, "eH|NrLWFudC1vYXQwMS1aZjMua1F-O|Q"},
    {"base64 in a base64 text", TOKEN, "dG9rZW49|c2stYW50LW9hdDAxLVpmMy5rUX45|Cg=="},
    {"hex", TOKEN, "|736b2d616e742d6f617430312d5a66332e6b517e39|0a"},
    {"HEX", TOKEN, "|736B2D616E742D6F617430312D5A66332E6B517E39|"},
    {"odd, as it is", ODD, "x |" ODD "| y"},
    {"odd, JSON", ODD, "\"|a\\\"b\\\\c/d<e>'f&g+h=i j|\""},
    {"odd, JSON with slashes", ODD, "\"|a\\\"b\\\\c\\/d<e>'f&g+h=i j|\""},
    {"odd, JSON for HTML", ODD, "\"|a\\\"b\\\\c/d\\u003ce\\u003e\\u0027f\\u0026g+h=i j|\""},
    {"odd, JSON in JSON", ODD, "\"{\\\"k\\\":\\\"|a\\\\\\\"b\\\\\\\\c/d<e>'f&g+h=i j|\\\"}\""},
    {"odd, in a URL", ODD, "?k=|a%22b%5Cc%2Fd%3Ce%3E%27f%26g%2Bh%3Di%20j|&x"},
    {"odd, in a URL, small", ODD, "?k=|a%22b%5cc%2fd%3ce%3e%27f%26g%2bh%3di%20j|&x"},
    {"odd, in a URL of JavaScript's", ODD, "?k=|a%22b%5Cc%2Fd%3Ce%3E'f%26g%2Bh%3Di%20j|&x"},
    {"odd, in a form", ODD, "k=|a%22b%5Cc%2Fd%3Ce%3E%27f%26g%2Bh%3Di+j|&x"},
    {"a tilde, in an old URL", TOKEN, "?k=|sk-ant-oat01-Zf3.kQ%7E9|"},
    {"long, base64 in lines", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
     "|MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4|"
     "\\n|OWFiY2RlZ|g==\\n"},
};

static void check_form(void **state)
{
    const struct form *f = *state;
    struct redactor *r = knowing(&f->secret, 1);
    char text[256] = "", want[256] = "", out[256];
    size_t n = 0;
    bool in = false;

    for (const char *p = f->text; *p; p++) {
        if (*p == '|') {
            in = !in;
            continue;
        }
        text[n] = *p;
        want[n++] = in ? '*' : *p;
    }
    assert_true(cut(r, text, 0, out) >= 1);
    assert_string_equal(out, want);
    redactor_free(r);
}

/* --- patterns ------------------------------------------------------------------- */

#define A16 "ABCDEFGHIJ234567"
#define A36 "abcdefghijklmnopqrstuvwxyz0123456789"
#define P64 "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

static struct key {
    const char *name, *text; /* "|" as above */
} keys[] = {
    {"Anthropic", "\"|sk-ant-api03-AbC_-dEf0123456789|\""},
    {"of a word only the beginning", "sk-ant-short"},
    {"Amazon", "\\\"|AKIA" A16 "|\\\""},
    {"Amazon's, longer than it is", "|AKIA" A16 "|XYZ"},
    {"no key of Amazon's", "AKIAabcdefghijklmnop"},
    {"GitHub", "https://x:|ghp_" A36 "|@github.com"},
    {"GitHub, fine", "|github_pat_11ABCDEFG0_abcdefghijkl| x"},
    {"Google", "key=|AIzaSyA1234567890abcdefghijklmnopqrstuv|&q=1"},
    {"Slack", "|xoxb-123456789012-abcdefghijkl|"},
    {"Hugging Face", "|hf_abcdefghijklmnopqrstuvwxyzABCDEFGH|"},
    {"OpenAI", "|sk-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv|"},
    {"a task list", "the task-list of the risk-assessment and the disk-usage"},
    {"E2B", "|e2b_0123456789abcdef0123456789abcdef01234567|"},
    {"our own",
     "Bearer |sfk_0123456789ab_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef|"},
    {"a token of the web",
     "|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N|"},
    {"a private key", "|-----BEGIN PRIVATE KEY-----\n" P64 "\n-----END| PRIVATE KEY-----"},
    {"a private key in JSON", "{\"k\":\"|-----BEGIN RSA PRIVATE KEY-----\\n" P64
                              "\\r\\n-----END| RSA PRIVATE KEY-----\\n\"}"},
    {"a private key in JSON in JSON", "|-----BEGIN EC PRIVATE KEY-----\\\\n" P64 "\\\\n|\\\"}"},
    {"an escape behind it stays", "|-----BEGIN PRIVATE KEY-----\\n" P64 "|\\\" \\t"},
};

static void check_key(void **state)
{
    const struct key *k = *state;
    struct form f = {k->name, "unknown-0001", k->text};

    if (strchr(k->text, '|')) {
        const struct form *p = &f;
        check_form((void *[]){(void *)(uintptr_t)p});
        return;
    }
    struct redactor *r = knowing(NULL, 0);
    char out[256];
    assert_int_equal(cut(r, k->text, 0, out), 0);
    assert_string_equal(out, k->text);
    redactor_free(r);
}

static struct pattern {
    const char *name, *text;
    bool good;
} patterns[] = {
    {"one", "acme_[a-z]{10}", true},
    {"a file", "# ours\n\nacme_[A-Za-z0-9_-]{10,}\n  corp-[0-9]{4,8}  \n", true},
    {"a blank in the beginning", "my key: [a-z]{8}", true},
    {"a class that ends with a dash", "acme_[a-z-]{10}", true},
    {"line breaks", "acme_[a-z\\n]{10}", true},
    {"no class", "acme_", false},
    {"no beginning", "[a-z]{10}", false},
    {"a short beginning", "ac[a-z]{10}", false},
    {"no number", "acme_[a-z]", false},
    {"an empty class", "acme_[]{10}", false},
    {"an open class", "acme_[a-z{10}", false},
    {"a range backwards", "acme_[z-a]{10}", false},
    {"a quote", "acme_[a\"]{10}", false},
    {"a backslash", "acme_[a\\\\]{10}", false},
    {"a range over the quote", "acme_[!-~]{10}", false},
    {"a range over the backslash", "acme_[A-z]{10}", false},
    {"a control byte", "acme_[\x01]{10}", false},
    {"nothing", "acme_[a-z]{0}", false},
    {"too much", "acme_[a-z]{1,8193}", false},
    {"backwards", "acme_[a-z]{9,8}", false},
    {"no number in it", "acme_[a-z]{x}", false},
    {"something behind it", "acme_[a-z]{10}x", false},
};

static void check_pattern(void **state)
{
    const struct pattern *p = *state;
    struct redactor *r = knowing(NULL, 0);
    struct err err = ERR_INIT;
    enum err_code rc = redactor_add_patterns(r, str_of(p->text), &err);

    assert_string_equal(err_name(rc), p->good ? "OK" : "CONFIG");
    if (!p->good)
        assert_non_null(strstr(err.msg, "line 1: want"));
    redactor_free(r);
}

/* --- everywhere, quickly, not kept ----------------------------------------------------- */

static void at_every_place_of_a_line(void **state)
{
    static const char *const secrets[] = {"unknown-0001"};
    struct redactor *r = knowing(secrets, 1);
    char line[64], out[65];

    (void)state;
    for (size_t n = 12; n < 40; n++)
        for (size_t at = 0; at + 12 <= n; at++) {
            memset(line, 'u', sizeof(line));
            memcpy(line + at, secrets[0], 12);
            line[n] = '\0';
            assert_int_equal(cut(r, line, 0, out), 1);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(out[i], i >= at && i < at + 12 ? '*' : 'u');
        }
    redactor_free(r);
}

static void many_are_known(void **state)
{
    struct redactor *r = knowing(NULL, 0);
    struct err err = ERR_INIT;
    char token[64], out[64];

    (void)state;
    for (int turn = 0; turn < 2; turn++) /* the second time they are known already */
        for (unsigned i = 0; i < 500; i++) {
            (void)snprintf(token, sizeof(token), "same-head-%08x-%u", i * 2654435761U, i);
            assert_int_equal(redactor_know(r, str_of(token), &err), ERR_OK);
        }
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(token, sizeof(token), "same-head-%08x-%u", i * 2654435761U, i);
        assert_int_equal(cut(r, token, 0, out), i < 500);
    }
    redactor_free(r);
}

/* Beginnings upon beginnings: of a known secret and of patterns, none of which is one. */
static void hostile_text_costs_its_length(void **state)
{
    static const char *const secrets[] = {TOKEN}, *const pieces[] = {"sk-ant-", "sk-ant-o",
                                                                     "-----BEGIN PRIVATE KEY-----",
                                                                     "eyJhbGciOi", "ghp_"};
    enum { BYTES = 8 << 20 };
    struct redactor *r = knowing(secrets, 1);
    char *text = malloc(BYTES);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNTOF(pieces); i++) {
        size_t n = strlen(pieces[i]);
        clock_t begun = clock();

        for (size_t at = 0; at < BYTES; at++)
            text[at] = pieces[i][at % n];
        (void)redactor_cut(r, text, BYTES, 0);
        double s = (double)(clock() - begun) / CLOCKS_PER_SEC;
        if (s > 4) /* a quadratic one takes hours; here are sanitizers and debug builds, too */
            fail_msg("'%s': %.1f s for 8 MiB", pieces[i], s);
    }
    free(text);
    redactor_free(r);
}

static void json_stays_json(void **state)
{
    static const char *const secrets[] = {TOKEN, ODD};
    struct redactor *r = knowing(secrets, 2);
    struct err err = ERR_INIT;
    char out[1024];

    (void)state;
    for (size_t i = 0; i < COUNTOF(keys) + COUNTOF(forms); i++) {
        AUTO_BUF line = BUF_INIT(1024);
        AUTO_JSON *tree = NULL;
        const char *text = i < COUNTOF(keys) ? keys[i].text : forms[i - COUNTOF(keys)].text;

        buf_addc(&line, '{');
        json_kv_str(&line, "text", str_of(text));
        buf_addc(&line, '}');
        (void)cut(r, line.p, 0, out);
        assert_string_equal(err_name(json_parse(str_of(out), 0, &tree, &err)), "OK");
    }
    redactor_free(r);
}

/* The redactor's memory: found by what points out of it, and small enough to be looked through. */
static void secrets_are_not_kept(void **state)
{
    static char secret[] = "a-secret-that-nothing-else-holds";
    struct redactor *r = knowing(NULL, 0);
    struct err err = ERR_INIT;
    char out[64];

    (void)state;
    assert_int_equal(redactor_know(r, str_of(secret), &err), ERR_OK);
    assert_int_equal(cut(r, secret, 0, out), 1);
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    char needle[sizeof(secret)], line[512];
    for (size_t i = 0; i < sizeof(secret); i++)
        needle[i] = (char)(secret[i] ^ 1);
    memset(secret, 0, sizeof(secret));
    memset(out, 0, sizeof(out));
    size_t hits = 0;
    while (fgets(line, sizeof(line), maps)) {
        unsigned long from = 0, to = 0;
        if (!strstr(line, "[heap]") || sscanf(line, "%lx-%lx", &from, &to) != 2)
            continue;
        for (const volatile char *p = (const volatile char *)from;
             p + 8 <= (const volatile char *)to; p++) {
            size_t same = 0; /* eight bytes of it, or more */
            while (same < 8 && p[same] == (needle[9 + same] ^ 1))
                same++;
            hits += same == 8;
        }
    }
    (void)fclose(maps);
    assert_int_equal(hits, 0);
    redactor_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_place_of_a_line),      cmocka_unit_test(many_are_known),
        cmocka_unit_test(hostile_text_costs_its_length), cmocka_unit_test(json_stays_json),
        cmocka_unit_test(secrets_are_not_kept),
    };

    return TABLE_RUN("redact: places", places, check_place) +
           TABLE_RUN("redact: forms", forms, check_form) +
           TABLE_RUN("redact: keys", keys, check_key) +
           TABLE_RUN("redact: patterns", patterns, check_pattern) +
           cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}

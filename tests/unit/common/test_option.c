/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a command line is understood exactly or refused with a text that says what to
 * type; a secret is never taken from it, shown, or named in an error.
 * Proof: a table of command lines with the value or the message; environment, words, help. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/option/option.h"
#include "common/secret/secret.h"
#include "tests/lib/table.h"

struct settings {
    char *brokers;
    int64_t attempts, timeout_ms, size;
    bool dry;
    double budget;
    struct opt_list props;
    struct secret *key;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt options[] = {
    {"brokers", 'b', OPT_STRING, AT(brokers), "127.0.0.1:9092", 1, 40, 0, NULL, "<host:port>",
     "Where Kafka is."},
    {"max-attempts", 0, OPT_INT, AT(attempts), "3", 1, 100, 0, NULL, "<n>", "How often."},
    {"timeout", 't', OPT_MS, AT(timeout_ms), "30m", 1000, 86400000, 0, NULL, "<duration>",
     "How long."},
    {"size", 0, OPT_BYTES, AT(size), "64KiB", 0, 1 << 20, 0, NULL, "<size>", "How much."},
    {"dry-run", 'n', OPT_BOOL, AT(dry), NULL, 0, 0, 0, NULL, NULL, "Does nothing."},
    {"budget", 0, OPT_MONEY, AT(budget), "1.5", 0, 1000, OPT_NO_ENV, NULL, "<usd>", "Most to pay."},
    {"kafka-prop", 'X', OPT_LIST, AT(props), NULL, 0, 0, 0, NULL, "<key=value>",
     "For the library."},
    {"e2b-api-key", 0, OPT_STRING, AT(key), NULL, 0, 0, OPT_SECRET, "E2B_API_KEY", NULL,
     "The key."},
};

static const char *const variables[] = {"SANDFLEET_BROKERS",    "SANDFLEET_MAX_ATTEMPTS",
                                        "SANDFLEET_KAFKA_PROP", "SANDFLEET_BUDGET",
                                        "SANDFLEET_DRY_RUN",    "E2B_API_KEY"};

/* Splits `line` at single spaces into argv[1..]. */
static enum err_code parse(char *line, struct settings *s, char **argv, int *words, struct err *err)
{
    static char name[] = "test";
    int argc = 1;

    argv[0] = name;
    for (char *save, *p = strtok_r(line, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    return option_parse(options, COUNTOF(options), s, argc, argv, words, err);
}

static struct row {
    const char *name; /* the command line */
    const char *want; /* a line of option_print, or the whole error */
} rows[] = {
    {"", "brokers=127.0.0.1:9092"},
    {"", "timeout=30m"},
    {"", "size=64KiB"},
    {"", "dry-run=false"},
    {"", "budget=1.5"},
    {"", "e2b-api-key="},
    {"--brokers=a:1", "brokers=a:1"},
    {"--brokers a:1", "brokers=a:1"},
    {"-b a:1", "brokers=a:1"},
    {"-ba:1", "brokers=a:1"},
    {"--brokers a:1 --brokers b:2", "brokers=b:2"},
    {"--brokers=a=b", "brokers=a=b"},
    {"--max-attempts 100", "max-attempts=100"},
    {"-t 90s", "timeout=90s"},
    {"-t 1h30m", "timeout=90m"},
    {"--size 1MiB", "size=1MiB"},
    {"--size 512", "size=512B"},
    {"--size 0", "size=0"},
    {"-n", "dry-run=true"},
    {"--budget 2.25", "budget=2.25"},
    {"-X a=1 --kafka-prop b=2", "kafka-prop=b=2"},

    {"--nosuchflag x", "unknown flag '--nosuchflag'"},
    {"--max-atempts 5", "unknown flag '--max-atempts': did you mean '--max-attempts'?"},
    {"--e2b-api-key-fil=hush",
     "unknown flag '--e2b-api-key-fil': did you mean '--e2b-api-key-file'?"},
    {"-z", "unknown flag '-z'"},
    {"--max-attempts 0", "--max-attempts '0' is out of range: 1 to 100"},
    {"--max-attempts -1", "--max-attempts '-1' is out of range: 1 to 100"},
    {"--max-attempts 99999999999999999999",
     "--max-attempts '99999999999999999999' is out of range: 1 to 100"},
    {"--max-attempts 10x", "--max-attempts '10x' is not a whole number"},
    {"--max-attempts +5", "--max-attempts '+5' is not a whole number"},
    {"--max-attempts=", "--max-attempts '' is not a whole number"},
    {"--timeout 10x", "--timeout '10x' is not a duration such as 90s, 5m or 1h30m"},
    {"--timeout -1", "--timeout '-1' is out of range: 1s to 1d"},
    {"--timeout 2d", "--timeout '2d' is out of range: 1s to 1d"},
    {"--size 2GiB", "--size '2GiB' is out of range: 0 to 1MiB"},
    {"--size 9999999999999GiB", "--size '9999999999999GiB' is out of range: 0 to 1MiB"},
    {"--size 17179869184GiB", "--size '17179869184GiB' is out of range: 0 to 1MiB"},
    {"--size 5kb", "--size '5kb' is not a size such as 512, 64KiB or 1MiB"},
    {"--budget nan", "--budget 'nan' is not an amount in dollars such as 2.50"},
    {"--budget 1.2.3", "--budget '1.2.3' is not an amount in dollars such as 2.50"},
    {"--budget 1001", "--budget '1001' is out of range: 0 to 1000"},
    {"--brokers=", "--brokers has 0 bytes: 1 to 40 are allowed"},
    {"--brokers", "--brokers needs a value: <host:port>"},
    {"--dry-run=true", "--dry-run takes no value"},
    {"--e2b-api-key=hush", "--e2b-api-key: a secret is not taken from the command line: "
                           "use --e2b-api-key-file or E2B_API_KEY"},
    {"--e2b-api-key-file /nonexistent",
     "--e2b-api-key-file: cannot open '/nonexistent': No such file or directory"},
};

static char *printed(const struct settings *s)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    assert_non_null(to);
    (void)fputc('\n', to);
    option_print(options, COUNTOF(options), s, to);
    (void)fclose(to);
    return text;
}

static void clear_environment(void)
{
    for (size_t i = 0; i < COUNTOF(variables); i++)
        (void)unsetenv(variables[i]);
}

static void check(void **state)
{
    const struct row *r = *state;
    struct settings s = {0};
    struct err err = ERR_INIT;
    char line[200], *argv[20], *text;
    AUTO_BUF want = BUF_INIT(300);
    int words;

    clear_environment();
    (void)snprintf(line, sizeof line, "%s", r->name);
    if (parse(line, &s, argv, &words, &err) != ERR_OK) {
        assert_string_equal(err.msg, r->want);
    } else {
        text = printed(&s);
        buf_addf(&want, "\n%s\n", r->want);
        assert_non_null(strstr(text, want.p));
        free(text);
    }
    option_release(options, COUNTOF(options), &s);
    assert_null(s.brokers);
}

static void words_stay_in_order(void **state)
{
    struct settings s = {0};
    char line[] = "submit -n - a -t 5s -- -n --brokers", *argv[20];
    static const char *const want[] = {"submit", "-", "a", "-n", "--brokers"};
    int words;

    (void)state;
    clear_environment();
    assert_int_equal(parse(line, &s, argv, &words, NULL), ERR_OK);
    assert_int_equal(words, COUNTOF(want));
    for (size_t i = 0; i < COUNTOF(want); i++)
        assert_string_equal(argv[i + 1], want[i]);
    assert_true(s.dry);
    option_release(options, COUNTOF(options), &s);
}

static void the_environment_stands_between(void **state)
{
    struct settings s = {0};
    char line[] = "--max-attempts 7 -X c=3", *argv[20];
    struct err err = ERR_INIT;
    int words;

    (void)state;
    clear_environment();
    setenv("SANDFLEET_BROKERS", "env:1", 1);
    setenv("SANDFLEET_MAX_ATTEMPTS", "5", 1);
    setenv("SANDFLEET_KAFKA_PROP", "a=1,b=2", 1);
    setenv("SANDFLEET_BUDGET", "nonsense", 1); /* OPT_NO_ENV: not looked at */
    setenv("SANDFLEET_DRY_RUN", "yes", 1);
    setenv("E2B_API_KEY", "e2b_0123456789", 1);
    assert_int_equal(parse(line, &s, argv, &words, &err), ERR_OK);
    assert_string_equal(s.brokers, "env:1");
    assert_int_equal(s.attempts, 7);
    assert_int_equal(s.props.n, 1);
    assert_string_equal(s.props.items[0], "c=3");
    assert_true(s.dry);
    assert_true(str_is(secret_value(s.key), "e2b_0123456789"));
    assert_null(getenv("E2B_API_KEY"));
    option_release(options, COUNTOF(options), &s);
    assert_null(s.key);

    line[0] = '\0';
    assert_int_equal(parse(line, &s, argv, &words, &err), ERR_OK);
    assert_int_equal(s.props.n, 2);
    assert_string_equal(s.props.items[1], "b=2");
    option_release(options, COUNTOF(options), &s);

    setenv("SANDFLEET_MAX_ATTEMPTS", "500", 1);
    assert_int_equal(parse(line, &s, argv, &words, &err), ERR_CONFIG);
    assert_string_equal(err.msg, "SANDFLEET_MAX_ATTEMPTS '500' is out of range: 1 to 100");
    option_release(options, COUNTOF(options), &s);

    setenv("SANDFLEET_MAX_ATTEMPTS", "", 1); /* empty is not set */
    setenv("SANDFLEET_DRY_RUN", "perhaps", 1);
    assert_int_equal(parse(line, &s, argv, &words, &err), ERR_CONFIG);
    assert_string_equal(err.msg, "SANDFLEET_DRY_RUN 'perhaps' is not true or false");
    option_release(options, COUNTOF(options), &s);
    setenv("SANDFLEET_DRY_RUN", "off", 1);
    setenv("E2B_API_KEY", "a\nb", 1);
    assert_int_equal(parse(line, &s, argv, &words, &err), ERR_INVALID);
    assert_string_equal(err.msg, "'E2B_API_KEY': the secret holds a control byte");
    option_release(options, COUNTOF(options), &s);
    clear_environment();
}

static void a_secret_comes_from_its_file_and_is_not_shown(void **state)
{
    char path[] = "/tmp/sandfleet-option-XXXXXX", line[100], *argv[20], *text;
    int fd = mkstemp(path), words;
    struct settings s = {0};

    (void)state;
    clear_environment();
    setenv("E2B_API_KEY", "from the environment", 1);
    assert_true(fd >= 0 && write(fd, "hush-hush\n", 10) == 10);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "--e2b-api-key-file=%s", path);
    assert_int_equal(parse(line, &s, argv, &words, NULL), ERR_OK);
    assert_true(str_is(secret_value(s.key), "hush-hush"));
    text = printed(&s);
    assert_non_null(strstr(text, "\ne2b-api-key=***\n"));
    assert_null(strstr(text, "hush"));
    free(text);
    option_release(options, COUNTOF(options), &s);
    (void)unlink(path);
}

static void a_flag_is_seen_without_reading_the_others(void **state)
{
    static const struct {
        const char *line, *name, *value; /* value NULL: not there */
        int leading;
    } looks[] = {
        {"--brokers=a:1 x", "brokers", "a:1", 1},
        {"--brokers a:1 x", "brokers", "a:1", 2},
        {"-b a:1 x", "brokers", "a:1", 2},
        {"-ba:1 x", "brokers", "a:1", 1},
        {"x --brokers a:1", "brokers", "a:1", 0},
        {"--brokers a:1 --brokers b:1", "brokers", "b:1", 4},
        {"--timeout --brokers", "brokers", NULL, 2}, /* that is the time's value */
        {"-n --brokers a:1", "brokers", "a:1", 3},
        {"-n", "dry-run", "", 1},
        {"x", "dry-run", NULL, 0},
        {"-- --brokers a:1", "brokers", NULL, 0},
        {"--nosuch a --brokers a:1", "brokers", "a:1", 0},
        {"--e2b-api-key-file f", "e2b-api-key", "f", 2},
        {"--brokers", "brokers", NULL, 1},
        {"- --brokers a:1", "brokers", "a:1", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(looks); i++) {
        char line[100], name[] = "test", *argv[20] = {name};
        const char *value;
        int argc = 1;

        (void)snprintf(line, sizeof line, "%s", looks[i].line);
        for (char *save, *p = strtok_r(line, " ", &save); p; p = strtok_r(NULL, " ", &save))
            argv[argc++] = p;
        value = option_peek(options, COUNTOF(options), looks[i].name, argc, argv);
        assert_string_equal(value ? value : "(none)", looks[i].value ? looks[i].value : "(none)");
        assert_int_equal(option_leading(options, COUNTOF(options), argc, argv), looks[i].leading);
    }
}

/* --- a further source --------------------------------------------------------------------- */

struct found_row {
    const char *name, *text;
    bool is_file;
};

static enum err_code found_in(void *ctx, const struct opt *row, size_t i, struct opt_found *out,
                              struct err *err)
{
    const struct found_row *rows_found = ctx;

    (void)err;
    *out = (struct opt_found){0};
    for (; rows_found->name; rows_found++)
        if (strcmp(rows_found->name, row->name) == 0 && i-- == 0)
            *out = (struct opt_found){rows_found->text, "file:7", rows_found->is_file};
    return ERR_OK;
}

static void a_source_stands_between_default_and_environment(void **state)
{
    struct found_row found[] = {{"brokers", "first:1", false},
                                {"brokers", "file:1", false},
                                {"timeout", "5m", false},
                                {"budget", "9", false},
                                {"kafka-prop", "a=1", false},
                                {"kafka-prop", "b=2,c", false},
                                {"e2b-api-key", "hush-hush", false},
                                {0}};
    const struct opt_source source = {found, found_in};
    struct opt_origin origins[COUNTOF(options)] = {0};
    struct settings s = {0};
    struct err err = ERR_INIT;
    char name[] = "test", *argv[] = {name, NULL};
    struct opt_input in = {options, COUNTOF(options), &s, 1, argv, &source, origins};
    int words;

    (void)state;
    clear_environment();
    setenv("SANDFLEET_MAX_ATTEMPTS", "5", 1);
    assert_int_equal(option_parse_from(&in, &words, &err), ERR_OK);
    assert_string_equal(s.brokers, "file:1");
    assert_int_equal(s.timeout_ms, 300000);
    assert_true(s.budget > 1.4 && s.budget < 1.6); /* OPT_NO_ENV: a thing of one call */
    assert_int_equal(s.props.n, 2);
    assert_string_equal(s.props.items[1], "b=2,c");
    assert_true(str_is(secret_value(s.key), "hush-hush"));
    assert_int_equal(origins[0].from, OPT_FROM_SOURCE);
    assert_string_equal(origins[0].where, "file:7");
    assert_int_equal(origins[1].from, OPT_FROM_ENV);
    assert_string_equal(origins[1].where, "SANDFLEET_MAX_ATTEMPTS");
    assert_int_equal(origins[3].from, OPT_FROM_DEFAULT);
    option_release(options, COUNTOF(options), &s);

    found[2].text = "never";
    assert_int_equal(option_parse_from(&in, &words, &err), ERR_CONFIG);
    assert_string_equal(err.msg, "file:7: timeout 'never' is not a duration such as 90s, 5m or "
                                 "1h30m");
    option_release(options, COUNTOF(options), &s);
    clear_environment();
}

static void what_is_required_is_asked_for(void **state)
{
    static const struct opt row = {.name = "brokers",
                                   .letter = 'b',
                                   .type = OPT_STRING,
                                   .at = AT(brokers),
                                   .flags = OPT_REQUIRED};
    struct settings s = {0};
    struct err err = ERR_INIT;
    char name[] = "test", flag[] = "-ba:1", *argv[] = {name, NULL, NULL};
    int words;

    (void)state;
    clear_environment();
    assert_int_equal(option_parse(&row, 1, &s, 1, argv, &words, &err), ERR_USAGE);
    assert_string_equal(err.msg, "--brokers is missing: give it, or set SANDFLEET_BROKERS");
    argv[1] = flag;
    assert_int_equal(option_parse(&row, 1, &s, 2, argv, &words, &err), ERR_OK);
    option_release(&row, 1, &s);
}

static void the_nearest_flag_is_named(void **state)
{
    static const struct opt rows_alike[] = {{.name = "aaaa", .type = OPT_BOOL},
                                            {.name = "aabb", .type = OPT_BOOL}};
    char name[] = "test", flag[] = "--aaax", *argv[] = {name, flag, NULL};
    struct settings s = {0};
    struct err err = ERR_INIT;
    int words;

    (void)state;
    assert_int_equal(option_parse(rows_alike, 2, &s, 2, argv, &words, &err), ERR_USAGE);
    assert_string_equal(err.msg, "unknown flag '--aaax': did you mean '--aaaa'?");
}

static void a_number_without_a_range_has_its_type_s(void **state)
{
    static const struct opt rows_free[] = {
        {.name = "n", .letter = 'n', .type = OPT_INT, .at = AT(attempts)},
        {.name = "t", .letter = 't', .type = OPT_MS, .at = AT(timeout_ms)},
        {.name = "usd", .letter = 'u', .type = OPT_MONEY, .at = AT(budget)}};
    char infinite[400] = "-u";
    char name[] = "test", good[] = "-n-5", bad[] = "-n9223372036854775808", ms[] = "-t-5";
    char *argv[] = {name, good, NULL};
    struct settings s = {0};
    struct err err = ERR_INIT;
    int words;

    (void)state;
    assert_int_equal(option_parse(rows_free, 2, &s, 2, argv, &words, &err), ERR_OK);
    assert_int_equal(s.attempts, -5);
    argv[1] = bad;
    assert_int_equal(option_parse(rows_free, 2, &s, 2, argv, &words, &err), ERR_USAGE);
    assert_string_equal(err.msg, "-n '9223372036854775808' is out of range");
    argv[1] = ms;
    assert_int_equal(option_parse(rows_free, 2, &s, 2, argv, &words, &err), ERR_USAGE);
    assert_string_equal(err.msg, "-t '-5' is out of range");
    memset(infinite + 2, '9', sizeof infinite - 3);
    argv[1] = infinite;
    assert_int_equal(option_parse(rows_free, 3, &s, 2, argv, &words, &err), ERR_USAGE);
    assert_non_null(strstr(err.msg, "' is out of range"));
}

static void long_help_is_broken_into_lines(void **state)
{
    static const struct opt row = {.name = "x",
                                   .type = OPT_BOOL,
                                   .flags = OPT_NO_ENV,
                                   .help = "one two three four five six seven eight nine ten "
                                           "eleven twelve thirteen fourteen fifteen."};
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    (void)state;
    option_help(&row, 1, to);
    (void)fclose(to);
    assert_string_equal(text, "      --x\n"
                              "          one two three four five six seven eight nine ten "
                              "eleven twelve\n"
                              "          thirteen fourteen fifteen.\n");
    free(text);
}

static void help_is_made_of_the_rows(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    (void)state;
    option_help(&options[2], 6, to);
    (void)fclose(to);
    assert_string_equal(text, "  -t, --timeout <duration>\n"
                              "          How long. Default: 30m. [SANDFLEET_TIMEOUT]\n"
                              "      --size <size>\n"
                              "          How much. Default: 64KiB. [SANDFLEET_SIZE]\n"
                              "  -n, --dry-run\n"
                              "          Does nothing. [SANDFLEET_DRY_RUN]\n"
                              "      --budget <usd>\n"
                              "          Most to pay. Default: 1.5.\n"
                              "  -X, --kafka-prop <key=value>\n"
                              "          For the library. May come several times. "
                              "[SANDFLEET_KAFKA_PROP]\n"
                              "      --e2b-api-key-file <file>\n"
                              "          The key. [E2B_API_KEY: the secret itself]\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stay_in_order),
        cmocka_unit_test(the_environment_stands_between),
        cmocka_unit_test(a_secret_comes_from_its_file_and_is_not_shown),
        cmocka_unit_test(a_flag_is_seen_without_reading_the_others),
        cmocka_unit_test(a_source_stands_between_default_and_environment),
        cmocka_unit_test(what_is_required_is_asked_for),
        cmocka_unit_test(the_nearest_flag_is_named),
        cmocka_unit_test(a_number_without_a_range_has_its_type_s),
        cmocka_unit_test(long_help_is_broken_into_lines),
        cmocka_unit_test(help_is_made_of_the_rows),
    };
    int failed = TABLE_RUN("option lines", rows, check);

    return failed + cmocka_run_group_tests_name("option", tests, NULL, NULL);
}

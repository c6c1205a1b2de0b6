/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a setting comes from the flag, else the environment, else the profile, else the file's
 * general part, else its default, and the client knows which; a file that is wrong is refused with
 * its line and the nearest name; a secret stands in a file that nobody else reads, or not at all.
 * Proof: tables of files, variables and command lines with the value and its source. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/option/option_value.h"
#include "common/secret/secret.h"
#include "producer/client.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "tests/lib/table.h"

static char folder[] = "/tmp/sandfleet-config-XXXXXX", path[64], key_path[64];

static void put_file(const char *file, const char *text, mode_t mode)
{
    FILE *to = fopen(file, "w");

    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(chmod(file, mode), 0);
}

static const char general[] = "profile = staging\n"
                              "tenant = acme\n"
                              "timeout = 5m\n"
                              "kafka.client.rack = r1\n"
                              "[staging]\n"
                              "brokers = staging:9092\n"
                              "timeout = 7m\n"
                              "[prod]\n"
                              "brokers = prod:9092\n"
                              "kafka-prop = socket.keepalive.enable=true\n"
                              "api_key_file = /nowhere\n"
                              "[broken]\n"
                              "ack-timeout = never\n";

struct row {
    const char *name;
    const char *profile; /* NULL: none is said */
    const char *env;     /* "NAME=value" */
    const char *line;    /* the command line */
    const char *row;     /* whose value is wanted */
    const char *want;    /* "value < where", or the message */
};

static struct row rows[] = {
    {"default", NULL, NULL, "", "prefix", "sandfleet. < "},
    {"for all", NULL, NULL, "", "tenant", "acme < F:2"},
    {"the file's own profile", NULL, NULL, "", "brokers", "staging:9092 < F:6"},
    {"the profile is stronger than the rest", NULL, NULL, "", "timeout", "7m < F:7"},
    {"a profile that is asked for", "prod", NULL, "", "brokers", "prod:9092 < F:9"},
    {"what it does not have is as for all", "prod", NULL, "", "timeout", "5m < F:3"},
    {"a bad value", "broken", NULL, "", "tenant",
     "F:13: ack-timeout 'never' is not a duration such as 90s, 5m or 1h30m"},
    {"environment", NULL, "SANDFLEET_BROKERS=env:1", "", "brokers", "env:1 < SANDFLEET_BROKERS"},
    {"an empty variable", NULL, "SANDFLEET_BROKERS=", "", "brokers", "staging:9092 < F:6"},
    {"flag", NULL, "SANDFLEET_BROKERS=env:1", "--brokers flag:1", "brokers", "flag:1 < --brokers"},
    {"properties gather", NULL, NULL, "-X a=b", "kafka-prop", "client.rack=r1,a=b < -X"},
    {"not set", NULL, NULL, "", "model", " < "},
    {"no such profile", "stagin", NULL, "", "brokers",
     "no profile 'stagin' in F: did you mean 'staging'?"},
};

/* The file's path as F. */
static void shorten(char *text)
{
    char *at = strstr(text, path);

    if (at) {
        *at = 'F';
        memmove(at + 1, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
}

/* A call of `submit` with this line; the wanted row's value, or the message. */
static void ask(const struct row *r, const char *file, char *out, size_t size)
{
    struct command_match m = command_find(1, (char *[]){(char[]){"submit"}});
    size_t settings_size = m.command->size ? m.command->size : sizeof(struct client);
    struct client *c = calloc(1, settings_size);
    struct config *config = NULL;
    struct err err = ERR_INIT;
    char line[128], *argv[16] = {(char[]){"submit"}};
    int argc = 1, words;
    size_t n;
    struct opt *o = command_rows(m.command, &n);
    struct opt_origin *origins = calloc(n, sizeof *origins);

    (void)snprintf(line, sizeof line, "%s", r->line);
    for (char *save, *p = strtok_r(line, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    out[0] = '\0';
    if (config_load(file, r->profile, &config, &err) == ERR_OK) {
        struct opt_input in = {o, n, c, argc, argv, config_source(config), origins};

        if (option_parse_from(&in, &words, &err) == ERR_OK)
            for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].name, r->row) == 0) {
                    AUTO_BUF value = BUF_INIT(1024);

                    option_put(&o[i], c, &value);
                    (void)snprintf(out, size, "%s < %s", value.p ? value.p : "", origins[i].where);
                }
        option_release(o, n, c);
    }
    if (err.code != ERR_OK)
        (void)snprintf(out, size, "%s", err.msg);
    config_free(config);
    free(c);
    free(origins);
    free(o);
    shorten(out);
}

static void check(void **state)
{
    const struct row *r = *state;
    char got[512], env[128] = "";

    put_file(path, general, 0644);
    if (r->env) {
        (void)snprintf(env, sizeof env, "%s", r->env);
        *strchr(env, '=') = '\0';
        setenv(env, strchr(r->env, '=') + 1, 1);
    }
    ask(r, path, got, sizeof got);
    if (r->env)
        unsetenv(env);
    assert_string_equal(got, r->want);
}

/* --- files that are wrong, and secrets in them ------------------------------------------- */

struct file_row {
    const char *name;
    const char *text;
    mode_t mode;
    const char *want; /* the message; NULL: it is fine */
};

static struct file_row file_rows[] = {
    {"unknown", "broker = x\n", 0644, "F:1: unknown key 'broker': did you mean 'brokers'?"},
    {"unknown in another profile", "[a]\n\ntennant = x\n", 0644,
     "F:3: unknown key 'tennant': did you mean 'tenant'?"},
    {"nothing like it", "xyzzy-frob = x\n", 0644,
     "F:1: unknown key 'xyzzy-frob': options' names and kafka.* are known"},
    {"a flag of one call", "idempotency-key = x\n", 0644,
     "F:1: unknown key 'idempotency-key': options' names and kafka.* are known"},
    {"the file's own place", "config = x\n", 0644,
     "F:1: unknown key 'config': options' names and kafka.* are known"},
    {"a profile in a profile", "[a]\nprofile = b\n", 0644,
     "F:2: unknown key 'profile': options' names and kafka.* are known"},
    {"twice", "brokers = a\nbrokers = b\n", 0644, "F:2: 'brokers' stands in line 1 already"},
    {"a list twice", "kafka-prop = a=b\nkafka-prop = c=d\n", 0644, NULL},
    {"underscores", "api_url = http://x\nack_timeout = 3s\n", 0644, NULL},
    {"its profile is not there", "profile = x\n", 0644, "F:1: no profile 'x' in F"},
    {"a key that others read", "api-key = hush\n", 0640,
     "F:1: others may read this file, and 'api-key' holds a secret: chmod 600 it, or name a file: "
     "…-file"},
    {"a key that nobody else reads", "api-key = hush\n", 0600, NULL},
    {"a key's file", "api-key-file = /x\n", 0644, NULL},
    {"a password that others read", "kafka.sasl.password = hush\n", 0644,
     "F:1: others may read this file, and 'kafka.sasl.password' holds a secret: chmod 600 it"},
    {"the same as a property", "kafka-prop = sasl.password=hush\n", 0644,
     "F:1: others may read this file, and 'kafka-prop' holds a secret: chmod 600 it"},
    {"a password's file", "kafka.sasl.password-file = x\n", 0644, NULL},
    {"in a connection string", "database = postgres://u:hush@h/d\n", 0604,
     "F:1: others may read this file, and 'database' holds a secret: chmod 600 it"},
    {"a connection string without", "database = postgres://u@h/d\n", 0644, NULL},
    {"no text", "a\0b = c\n", 0644, "F:1: want 'key = value', '[profile]' or a comment"},
};

static void check_file(void **state)
{
    const struct file_row *r = *state;
    struct config *c = NULL;
    struct err err = ERR_INIT;

    put_file(path, r->text, r->mode);
    if (config_load(path, NULL, &c, &err) == ERR_OK)
        assert_string_equal("fine", r->want ? r->want : "fine");
    shorten(err.msg);
    shorten(err.msg);
    if (err.code != ERR_OK) {
        assert_string_equal(err_name(err.code), "CONFIG");
        assert_string_equal(err.msg, r->want ? r->want : "fine");
    }
    config_free(c);
}

static void a_secret_s_file_lies_beside(void **state)
{
    struct row prop = {"", "prod", NULL, "--api-key-file key", "kafka-prop", NULL};
    char got[512];

    (void)state;
    put_file(path, "[prod]\nkafka.sasl.password-file = key\n", 0644);
    put_file(key_path, "hushhush\n", 0600);
    prop.line = "";
    ask(&prop, path, got, sizeof got);
    assert_string_equal(got, "sasl.password=hushhush < F:2");
    put_file(key_path, "hushhush\n", 0644);
    ask(&prop, path, got, sizeof got);
    assert_non_null(strstr(got, "F:2: kafka.sasl.password-file: others may read"));
    assert_null(strstr(got, "hush"));
}

static void where_it_is_looked_for(void **state)
{
    struct config *c = NULL;
    struct err err = ERR_INIT;
    char place[128], *p;

    (void)state;
    setenv("XDG_CONFIG_HOME", folder, 1);
    p = config_default_path();
    (void)snprintf(place, sizeof place, "%s/sandfleet/config", folder);
    assert_string_equal(p, place);
    free(p);
    assert_int_equal(config_load(NULL, NULL, &c, &err), ERR_OK); /* there is none, which is fine */
    assert_null(config_path(c));
    config_free(c);
    assert_int_equal(config_load(NULL, "prod", &c, &err), ERR_CONFIG);
    assert_non_null(strstr(err.msg, "no profile 'prod'"));
    assert_int_equal(config_load("/nonexistent/x", NULL, &c, &err), ERR_CONFIG);
    assert_non_null(strstr(err.msg, "/nonexistent/x"));
    setenv("XDG_CONFIG_HOME", "relative", 1);
    setenv("HOME", "/somewhere", 1);
    p = config_default_path();
    assert_string_equal(p, "/somewhere/.config/sandfleet/config");
    free(p);
    unsetenv("HOME");
    assert_null(config_default_path());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_s_file_lies_beside),
        cmocka_unit_test(where_it_is_looked_for),
    };
    int failed;

    if (clearenv() != 0 || !mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/config", folder);
    (void)snprintf(key_path, sizeof key_path, "%s/key", folder);
    failed = TABLE_RUN("precedence", rows, check);
    failed += TABLE_RUN("files", file_rows, check_file);
    failed += cmocka_run_group_tests_name("config", tests, NULL, NULL);
    (void)unlink(path);
    (void)unlink(key_path);
    (void)rmdir(folder);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's settings: ours, a file's and the command line's; no password on a command line,
 * and nothing that undoes a promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/kafka/kafka_internal.h"
#include "common/banned.h"

static struct row {
    const char *name;
    const char *file; /* its text; NULL: none */
    mode_t mode;
    const char *option;     /* of -X; NULL: none */
    const char *is, *value; /* a setting and its value behind that */
    const char *error;      /* in the message; NULL: it is taken */
} rows[] = {
    {"nothing of the caller's", NULL, 0, NULL, "log.queue", "true", NULL},
    {"an option", NULL, 0, "security.protocol=ssl", "security.protocol", "ssl", NULL},
    {"a value with =", NULL, 0, "sasl.username=a=b", "sasl.username", "a=b", NULL},
    {"a file", "# of ours\n\nsecurity.protocol=sasl_ssl\n  sasl.username=u \r\n", 0600, NULL,
     "sasl.username", "u", NULL},
    {"a password in a file", "sasl.password=p w=1\n", 0600, NULL, "sasl.password", "p w=1", NULL},
    {"the command line is the stronger", "sasl.username=u\n", 0600, "sasl.username=v",
     "sasl.username", "v", NULL},
    {"a file that others read", "sasl.username=u\n", 0644, NULL, NULL, NULL, "644"},
    {"a line without =", "sasl.username=u\nwhat\n", 0600, NULL, NULL, NULL,
     "line 2: the line wants name=value"},
    {"no such setting in a file", "sasl.usrnam=u\n", 0600, NULL, NULL, NULL,
     "line 1: librdkafka has no setting 'sasl.usrnam': did you mean 'sasl.username'?"},
    {"no such setting", NULL, 0, "no.such.thing.at.all=1", NULL, NULL,
     "no setting 'no.such.thing.at.all': its CONFIGURATION.md"},
    {"no such value", NULL, 0, "security.protocol=tls", NULL, NULL, "security.protocol"},
    {"a promise, in a file", "acks=0\n", 0600, NULL, NULL, NULL, "acks: it keeps a promise"},
    {"a promise", NULL, 0, "enable.idempotence=false", NULL, NULL, "keeps a promise"},
    {"no name", NULL, 0, "=x", NULL, NULL, "-X wants name=value"},
    {"a session of two heartbeats", NULL, 0, "session.timeout.ms=8999", NULL, NULL, "three times"},
    {"a session of three", NULL, 0, "session.timeout.ms=9000", "session.timeout.ms", "9000", NULL},
    {"no value", NULL, 0, "linger.ms", NULL, NULL, "-X wants name=value"},
    {"a password as an option", NULL, 0, "sasl.password=hunter2", NULL, NULL, "--kafka-config"},
    {"a key's password as an option", NULL, 0, "ssl.key.password=x", NULL, NULL, "--kafka-config"},
};

static void sets(void **state)
{
    const struct row *row = *state;
    char path[] = "/tmp/kafka-conf-XXXXXX", value[64];
    char *item = (char *)(uintptr_t)row->option;
    const struct opt_list props = {&item, row->option ? 1 : 0};
    struct kafka_conf conf = {.brokers = "127.0.0.1:1", .props = &props};
    struct err err = ERR_INIT;
    rd_kafka_conf_t *out = NULL;
    size_t n = sizeof(value);

    if (row->file) {
        int fd = mkstemp(path);

        conf.file = path;
        assert_int_equal(write(fd, row->file, strlen(row->file)), (ssize_t)strlen(row->file));
        assert_int_equal(fchmod(fd, row->mode), 0);
        (void)close(fd);
    }
    enum err_code rc = kafka_conf_new(&conf, NULL, 0, &out, &err);
    if (row->file)
        (void)unlink(path);
    assert_int_equal(rc == ERR_OK, row->error == NULL);
    if (row->error) {
        bool in_option = row->option && strstr(row->error, "three times") == NULL;

        assert_string_equal(err_name(rc), in_option ? "USAGE" : "CONFIG");
        if (!strstr(err.msg, row->error))
            fail_msg("no '%s' in: %s", row->error, err.msg);
        assert_null(strstr(err.msg, "hunter2"));
        return;
    }
    assert_int_equal(rd_kafka_conf_get(out, row->is, value, &n), RD_KAFKA_CONF_OK);
    assert_string_equal(value, row->value);
    rd_kafka_conf_destroy(out);
}

static void a_file_that_is_not_there(void **state)
{
    const struct kafka_conf conf = {.brokers = "127.0.0.1:1", .file = "/nowhere/kafka"};
    struct err err = ERR_INIT;
    rd_kafka_conf_t *out;

    (void)state;
    assert_int_equal(kafka_conf_new(&conf, NULL, 0, &out, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nowhere/kafka"));
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 1];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] =
            (struct CMUnitTest){.name = rows[i].name, .test_func = sets, .initial_state = &rows[i]};
    tests[COUNTOF(rows)] = (struct CMUnitTest)cmocka_unit_test(a_file_that_is_not_there);
    return cmocka_run_group_tests_name("kafka_conf", tests, NULL, NULL);
}

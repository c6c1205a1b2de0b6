/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: out of memory, a configuration is refused as such, never read by half.
 * Proof: it is loaded, and the options are read with it, with the first, second, … allocation
 * failing until none is left; ASan sees what is leaked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "producer/client.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "tests/lib/heap.h"
#include "tests/lib/table.h"

static char path[] = "/tmp/sandfleet-config-XXXXXX";

static enum err_code load(struct err *err)
{
    char name[] = "submit", flag[] = "--model=m", *argv[] = {name, flag, NULL};
    struct command_match m = command_find(1, argv);
    struct client *c = calloc(1, command_size(m.command));
    struct config *config = NULL;
    size_t n = 0;
    struct opt *rows = command_rows(m.command, &n);
    int words;
    enum err_code rc = rows && c ? ERR_OK : err_set(err, ERR_NOMEM, "rows");

    if (rc == ERR_OK)
        rc = config_load(path, "b", &config, err);
    if (rc == ERR_OK) {
        struct opt_input in = {.rows = rows,
                               .n = n,
                               .settings = c,
                               .argc = 2,
                               .argv = argv,
                               .source = config_source(config)};

        rc = option_parse_from(&in, &words, err);
        if (rc == ERR_OK) {
            assert_string_equal(c->brokers, "b:1");
            assert_int_equal(c->props.n, 2);
        }
        option_release(rows, n, c);
    }
    config_free(config);
    free(rows);
    free(c);
    return rc;
}

static void every_allocation_fails_once(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    for (size_t n = 1;; n++) {
        enum err_code rc;
        size_t seen;

        heap_fail_at(n);
        rc = load(&err);
        seen = heap_seen();
        heap_fail_at(0);
        if (seen < n) {
            assert_string_equal(err_name(rc), "OK");
            return;
        }
        assert_string_equal(err_name(rc), "NOMEM");
    }
}

int main(void)
{
    static const char text[] = "tenant = t\nkafka.client.rack = r\n[a]\nbrokers = a:1\n[b]\n"
                               "brokers = \"b:1\"\nkafka-prop = linger.ms=1\n";
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails_once)};
    int fd = mkstemp(path), failed;

    if (clearenv() != 0 || fd < 0 || write(fd, text, sizeof text - 1) != sizeof text - 1)
        return 1;
    (void)close(fd);
    failed = cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: without memory nothing is sealed or opened by halves, and nothing leaks.
 * Proof: each allocation, of the heap and of locked memory, fails once. */
#include "common/secret/sealed.h"
#include "tests/lib/heap.h"
#include "tests/lib/table.h"

#include "common/banned.h"

#define KEYS                                                                                       \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"                           \
    "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static struct str part[] = {{"acme", 4}, {"team", 4}, {"oauth", 5}};

static enum err_code all(struct err *err)
{
    struct sealed_about about = {part, COUNTOF(part)};
    struct keyring_source command = {.command = "printf '" KEYS "'"};
    struct keyring *k = NULL, *more = NULL;
    struct secret *plain = NULL, *again = NULL;
    struct sealed s = {0};
    enum err_code rc = keyring_parse(STR(KEYS), &k, err);

    if (rc == ERR_OK)
        rc = keyring_open(&command, &more, err);
    if (rc == ERR_OK)
        rc = secret_new(STR("sk-ant-oat01-abcdef"), &plain, err);
    if (rc == ERR_OK)
        rc = sealed_close(k, about, plain, &s, err);
    if (rc == ERR_OK)
        rc = sealed_rewrap(more, about, &s, err);
    if (rc == ERR_OK)
        rc = sealed_open(more, about, &s, &again, err);
    if (rc == ERR_OK)
        assert_true(str_is(secret_value(again), "sk-ant-oat01-abcdef"));
    sealed_release(&s);
    secret_free(plain);
    secret_free(again);
    keyring_free(k);
    keyring_free(more);
    return rc;
}

static void each_allocation_fails_once(void **state)
{
    struct err err;
    size_t n = 0;
    enum err_code rc;

    (void)state;
    do {
        err = ERR_INIT;
        heap_fail_at(++n);
        rc = all(&err);
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        assert_true(rc == ERR_OK ? heap_seen() < n : err.msg[0] != '\0');
    } while (rc != ERR_OK);
    heap_fail_at(0);
    assert_true(n > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};

    return cmocka_run_group_tests_name("sealed, without memory", tests, NULL, NULL);
}

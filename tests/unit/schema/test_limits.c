/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a limit is changed as its words say, or refused with words that tell what would do. */
#include "tests/lib/table.h"

#include <string.h>

#include "schema/limits.h"
#include "common/banned.h"

#define FLEET "concurrency and starts_per_minute"

static struct row {
    const char *name, *who, *setting, *to;
    const char *scope, *whose, *kind; /* kind: what it becomes; scope NULL: refused with `whose` */
    int64_t value;
} rows[] = {
    {"fleet", "fleet", "concurrency", "200", "fleet", "*", "value", 200},
    {"starts", "fleet", "starts_per_minute", "0", "fleet", "*", "value", 0},
    {"none", "fleet", "concurrency", "none", "fleet", "*", "none", 0},
    {"default", "fleet", "concurrency", "default", "fleet", "*", "default", 0},
    {"a tenant", "tenant:acme", "concurrency", "5", "tenant", "acme", "value", 5},
    {"all tenants", "tenant:*", "concurrency", "5", "tenant", "*", "value", 5},
    {"a name with colons", "tenant:a:b", "concurrency", "5", "tenant", "a:b", "value", 5},
    {"a credential", "credential:c", "concurrency", "1000000", "credential", "c", "value", 1000000},
    {"a key", "key:gold", "weight", "1000", "key", "gold", "value", 1000},
    {"a key's default", "key:gold", "weight", "default", "key", "gold", "default", 0},
    {"nobody", "", "concurrency", "5", NULL, "a limit is of fleet", NULL, 0},
    {"somebody else", "user:x", "concurrency", "5", NULL, "'user:x' has no", NULL, 0},
    {"a fleet has no name", "fleet:x", "concurrency", "5", NULL, "a limit is of fleet", NULL, 0},
    {"a tenant has", "tenant", "concurrency", "5", NULL, "a limit is of fleet", NULL, 0},
    {"an empty one", "tenant:", "concurrency", "5", NULL, "a limit is of fleet", NULL, 0},
    {"a bad one", "tenant:-x", "concurrency", "5", NULL, "a limit is of fleet", NULL, 0},
    {"another's setting", "fleet", "weight", "5", NULL, FLEET, NULL, 0},
    {"a tenant's starts", "tenant:a", "starts_per_minute", "5", NULL, FLEET, NULL, 0},
    {"too much", "fleet", "concurrency", "1000001", NULL, "0..1000000, none or default", NULL, 0},
    {"a weight of none", "key:k", "weight", "none", NULL, "a number or default", NULL, 0},
    {"a weight of nothing", "key:k", "weight", "0", NULL, "1..1000 or default", NULL, 0},
    {"a word", "fleet", "concurrency", "many", NULL, "not 'many'", NULL, 0},
    {"an empty value", "fleet", "concurrency", "", NULL, "not ''", NULL, 0},
};

static void check(void **state)
{
    static const char *const kinds[] = {"value", "none", "default"};
    const struct row *r = *state;
    struct limit_change c;
    struct err err = ERR_INIT;
    enum err_code rc = limits_parse(r->who, r->setting, r->to, &c, &err);

    if (!r->scope) {
        assert_string_equal(err_name(rc), "USAGE");
        if (!strstr(err.msg, r->whose))
            fail_msg("'%s' does not say '%s'", err.msg, r->whose);
        return;
    }
    assert_string_equal(err_name(rc), "OK");
    assert_string_equal(c.scope, r->scope);
    assert_string_equal(c.setting, r->setting);
    assert_true(str_is(c.name, r->whose));
    assert_string_equal(kinds[c.to], r->kind);
    assert_int_equal(c.value, r->value);
}

int main(void)
{
    return TABLE_RUN("limits", rows, check);
}

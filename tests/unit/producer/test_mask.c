/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a setting that holds a secret is shown without it. Proof: a table. */
#include <string.h>

#include "producer/mask.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *want;
    bool is_prop;
} rows[] = {
    {"security.protocol=SASL_SSL", "security.protocol=SASL_SSL", true},
    {"sasl.password=hush", "sasl.password=***", true},
    {"ssl.key.password=hush=hush", "ssl.key.password=***", true},
    {"ssl.key.pem=hush", "ssl.key.pem=***", true},
    {"sasl.oauthbearer.client.secret=hush", "sasl.oauthbearer.client.secret=***", true},
    {"sasl.oauthbearer.config=hush", "sasl.oauthbearer.config=***", true},
    {"sasl.username=password", "sasl.username=password", true},
    {"no equals", "no equals", true},

    {"host=h dbname=d", "dbname=d host=h", false},
    {"host=h password=hush user='a b'", "user='a b' password=*** host=h", false},
    {"postgresql://u:hush@h:5433/d?sslmode=require",
     "user=u password=*** dbname=d host=h port=5433 sslmode=require", false},
    {"host=h sslkey=k sslpassword=hush", "host=h sslkey=k sslpassword=***", false},
    {"user=it\\'s", "user='it\\'s'", false},
    {"no connection string, hush", "***", false},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF out = BUF_INIT(4096);

    if (r->is_prop)
        mask_prop(&out, r->name);
    else
        mask_conninfo(&out, r->name);
    assert_string_equal(out.p, r->want);
    if (!r->is_prop)
        assert_int_equal(mask_conninfo_has_secret(r->name), strstr(r->want, "***") != NULL);
}

int main(void)
{
    return TABLE_RUN("mask", rows, check);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a credentials file holds, what is accepted has names that requests can
 * name, each of them once, and an error never says a byte of the tokens. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "schema/run_request.h"
#include "worker/run/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct credentials *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct credential *one = &c->items[i];
        assert(run_name_ok(str_of(one->name)) && one->kind != CREDENTIAL_NONE);
        assert(secret_value(one->secret).n > 0);
        assert(credentials_find(c, one->name) == one);
        assert(!one->pool || !credentials_find(c, one->pool));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials c = {0};
    struct err err = ERR_INIT;

    if (size > 4096) /* each token takes locked pages */
        return 0;
    if (credentials_parse(&c, (struct str){(const char *)data, size}, &err) != ERR_OK)
        assert(strlen(err.msg) > 0);
    check(&c);
    credentials_release(&c);
    return 0;
}

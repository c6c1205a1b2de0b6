/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: what is accepted is written as a text that is accepted, means the same work
 * and is written the same way again; it holds no token. What is refused has one of the
 * known reasons; once masked it is no longer refused for a secret. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/run_request.h"

enum { OUT_MAX = 4 * RUN_REQUEST_MAX_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const struct run_request *r)
{
    AUTO_BUF once = BUF_INIT(OUT_MAX), twice = BUF_INIT(OUT_MAX);
    struct run_request back;
    struct err err = ERR_INIT;
    uint8_t hash[32], hash_back[32];

    if (run_request_write(r, &once, &err) != ERR_OK) {
        assert(err.code == ERR_TOO_BIG); /* escapes make text longer */
        return;
    }
    assert(!strstr(once.p, "sk-ant-"));
    assert(run_request_parse(buf_str(&once), &back, &err) == ERR_OK);
    assert(run_request_write(&back, &twice, &err) == ERR_OK);
    assert(str_eq(buf_str(&once), buf_str(&twice)));
    run_request_hash(r, hash);
    run_request_hash(&back, hash_back);
    assert(memcmp(hash, hash_back, sizeof(hash)) == 0);
    run_request_release(&back);
}

static void check_masked(struct str in)
{
    char *text = str_dup(in);
    struct run_request r;
    struct err err = ERR_INIT;

    assert(text);
    assert(run_request_mask(text, in.n) > 0);
    if (run_request_parse((struct str){text, in.n}, &r, &err) == ERR_OK)
        run_request_release(&r);
    else
        assert(!str_is(run_request_reason(&err), "secret_in_record"));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct run_request r;
    struct err err = ERR_INIT;

    if (run_request_parse(in, &r, &err) == ERR_OK) {
        check_accepted(&r);
        run_request_release(&r);
        return 0;
    }
    assert(err_action(err.code) == ERR_DO_REJECT && strchr(err.msg, ':'));
    if (str_is(run_request_reason(&err), "secret_in_record"))
        check_masked(in);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: whatever lies in the store is opened or refused, with a key and without one; what is
 * closed opens as itself, and what is sealed with nothing but its key and under its name. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/session/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf copy_of(const uint8_t *data, size_t size)
{
    struct buf b = BUF_INIT(size + 1);

    buf_add(&b, data, size);
    return b;
}

static enum err_code open_as(const struct secret *seal, const char *name, const struct buf *stored,
                             const char *hash, struct buf *out)
{
    struct buf copy = copy_of((const uint8_t *)stored->p, stored->len);
    struct err err = ERR_INIT;
    enum err_code rc = transcript_open(seal, name, hash, &copy, out, &err);

    buf_release(&copy);
    return rc;
}

/* As somebody put it there who also has the ledger. */
static void open_it(const struct secret *seal, const uint8_t *data, size_t size)
{
    struct buf text = copy_of(data, size), stored = BUF_INIT(0);
    AUTO_BUF out = BUF_INIT(0);
    char hash[TRANSCRIPT_HASH_TEXT];
    struct err err = ERR_INIT;

    assert(transcript_close(NULL, "k", &text, &stored, hash, &err) == ERR_OK);
    enum err_code rc = open_as(seal, "k", &stored, hash, &out);
    assert(rc == ERR_OK || rc == ERR_INVALID || rc == ERR_CONFIG);
    assert(rc == ERR_OK || out.len == 0);
    buf_release(&stored);
}

static void there_and_back(const struct secret *seal, const uint8_t *data, size_t size)
{
    struct buf text = copy_of(data, size), stored = BUF_INIT(0);
    AUTO_BUF out = BUF_INIT(0), other = BUF_INIT(0);
    char hash[TRANSCRIPT_HASH_TEXT];
    struct err err = ERR_INIT;

    assert(transcript_close(seal, "k", &text, &stored, hash, &err) == ERR_OK);
    assert(open_as(seal, "k", &stored, hash, &out) == ERR_OK);
    assert(str_eq(buf_str(&out), (struct str){(const char *)data, size}));
    assert(open_as(seal, "l", &stored, hash, &other) == ERR_CONFIG);
    assert(open_as(NULL, "k", &stored, hash, &other) == ERR_CONFIG);
    buf_release(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret *seal;
    struct err err = ERR_INIT;

    if (!seal && (secret_init(&err) != ERR_OK ||
                  secret_new(STR("0123456789abcdef0123456789abcdef"), &seal, &err) != ERR_OK))
        return 0;
    open_it(NULL, data, size);
    open_it(seal, data, size);
    there_and_back(seal, data, size);
    return 0;
}

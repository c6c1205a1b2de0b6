/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a row of sealed bytes opens only as it was sealed; whatever else stands in it is
 * refused, and what it is about counts to the bit. The input is the row: key id 16, wrapped, the
 * rest is the box; its first byte says what is done to a genuine one instead: 1 the byte that the
 * second and third name is changed, 2 it is cut there, 3 it is another's. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID_BYTES = KEY_ID_TEXT - 1 };

static struct str parts[] = {{"acme", 4}, {"team", 4}, {"oauth", 5}},
                  others[] = {{"acmet", 5}, {"eam", 3}, {"oauth", 5}};
static const struct sealed_about about = {parts, 3}, another = {others, 3};

static void from_bytes(const struct keyring *k, const uint8_t *data, size_t size, struct sealed *s)
{
    size_t id = size < ID_BYTES ? size : ID_BYTES;
    size_t wrapped = size - id < sizeof(s->wrapped) ? size - id : sizeof(s->wrapped);

    memcpy(s->key_id, data, id);
    if (id > 0 && data[0] % 2) /* else nothing is looked at behind it */
        memcpy(s->key_id, keyring_id(k, 0), KEY_ID_TEXT);
    memcpy(s->wrapped, data + id, wrapped);
    buf_add(&s->box, data + id + wrapped, size - id - wrapped);
}

/* False: it is as it was. */
static bool spoil(struct sealed *s, uint8_t how, size_t at)
{
    size_t all = sizeof(s->wrapped) + s->box.len;

    at %= all;
    if (how == 1 && at < sizeof(s->wrapped))
        s->wrapped[at] ^= 1;
    else if (how == 1)
        s->box.p[at - sizeof(s->wrapped)] ^= 1;
    else if (how == 2)
        s->box.len = at % s->box.len;
    else
        return false;
    return true;
}

static void genuine(const struct keyring *k, const uint8_t *data)
{
    struct secret *plain = NULL, *again = NULL;
    struct sealed s = {.box = BUF_INIT(SEALED_BOX_MAX_BYTES)};
    struct err err = ERR_INIT;

    assert(secret_new(STR("sk-ant-oat01-abcdef"), &plain, &err) == ERR_OK);
    assert(sealed_close(k, about, plain, &s, &err) == ERR_OK);
    bool spoilt = spoil(&s, data[0], (size_t)data[1] << 8 | data[2]) || data[0] == 3;
    enum err_code rc = sealed_open(k, data[0] == 3 ? another : about, &s, &again, &err);

    assert((rc == ERR_OK) == !spoilt);
    if (rc == ERR_OK)
        assert(str_eq(secret_value(again), secret_value(plain)));
    sealed_release(&s);
    secret_free(plain);
    secret_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sealed s = {.box = BUF_INIT(1 << 20)};
    struct keyring *k = NULL;
    struct secret *plain = NULL;
    struct err err = ERR_INIT;

    assert(keyring_parse(STR("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"),
                         &k, &err) == ERR_OK);
    from_bytes(k, data, size, &s);
    assert(sealed_open(k, about, &s, &plain, &err) != ERR_OK && !plain);
    sealed_release(&s);
    if (size >= 3 && data[0] <= 3)
        genuine(k, data);
    keyring_free(k);
    return 0;
}

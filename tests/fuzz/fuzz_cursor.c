/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: a text that is read as a cursor is the one that is written for it; what a hostile
 * client makes with the right hash (it is no secret) still holds a time and an id that Postgres
 * takes. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/reads/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str text, const struct cursor_bound *b)
{
    AUTO_BUF again = BUF_INIT(CURSOR_TEXT_MAX);
    char time[CURSOR_TIME_TEXT];
    struct cursor c;

    if (!cursor_parse(text, b, &c))
        return;
    assert(c.at_us >= 0 && strlen(c.id) <= CURSOR_ID_MAX && str_utf8(str_of(c.id), NULL));
    assert(cursor_time(&c, time)[0] != '-');
    cursor_write(&c, b, &again);
    assert(str_eq(buf_str(&again), text));
}

/* The bytes as a place, with a hash that is right. */
static void check_place(const uint8_t *data, size_t size, const struct cursor_bound *b)
{
    AUTO_BUF text = BUF_INIT(CURSOR_TEXT_MAX);
    struct cursor c = {0};

    if (size < sizeof(c.at_us))
        return;
    memcpy(&c.at_us, data, sizeof(c.at_us));
    data += sizeof(c.at_us);
    size -= sizeof(c.at_us);
    memcpy(c.id, data, size < CURSOR_ID_MAX ? size : CURSOR_ID_MAX);
    cursor_write(&c, b, &text);
    check_text(buf_str(&text), b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor_bound b;

    cursor_bind(&b, "runs", "acme");
    check_text((struct str){(const char *)data, size}, &b);
    check_place(data, size, &b);
    return 0;
}

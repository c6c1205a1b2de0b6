/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "schema/run_request.h"
#include "common/banned.h"

enum {
    /* what one record may bring behind a text that is not full yet */
    TEXT_MAX_BYTES =
        PARCEL_BYTES + 2 * RUN_REQUEST_MAX_BYTES + RUN_KEY_MAX_BYTES + RUN_NAME_MAX_BYTES,
    KEEPS_BYTES = 2 * PARCEL_BYTES
};

struct parcel *parcel_new(void)
{
    struct parcel *p = malloc(sizeof(*p));

    if (!p)
        return NULL;
    p->n = p->acked = 0;
    p->text = BUF_INIT(TEXT_MAX_BYTES);
    (void)buf_room(&p->text, PARCEL_BYTES); /* at once: growing would copy what is there */
    return p;
}

void parcel_free(struct parcel *p)
{
    if (p)
        buf_release(&p->text);
    free(p);
}

void parcel_clear(struct parcel *p)
{
    if (p->text.cap > KEEPS_BYTES)
        buf_release(&p->text);
    buf_clear(&p->text);
    p->n = p->acked = 0;
}

bool parcel_is_full(const struct parcel *p)
{
    return p->n == PARCEL_RECORDS || p->text.len >= PARCEL_BYTES;
}

static struct parcel_part add(struct buf *b, struct str s)
{
    struct parcel_part part = {b->len, s.n};

    buf_addstr(b, s);
    return part;
}

enum err_code parcel_add(struct parcel *p, const struct parcel_record *r, struct err *err)
{
    struct parcel_item *item = &p->items[p->n];
    size_t was = p->text.len;

    item->nth = p->n;
    item->line = r->line;
    item->custom_id = add(&p->text, r->custom_id);
    item->key = add(&p->text, r->key);
    item->value = add(&p->text, r->value);
    memcpy(item->run_id, r->run_id, UUID_TEXT);
    if (p->text.rc != ERR_OK) {
        err_set(err, p->text.rc, "cannot submit run '%s'", r->run_id);
        p->text.rc = ERR_OK;
        p->text.len = was;
        return err->code;
    }
    p->n++;
    return ERR_OK;
}

struct str parcel_text(const struct parcel *p, struct parcel_part part)
{
    return (struct str){p->text.p + part.at, part.n};
}

struct parcel *parcel_of(struct parcel_item *item)
{
    char *first = (char *)(item - item->nth);

    return (struct parcel *)(void *)(first - offsetof(struct parcel, items));
}

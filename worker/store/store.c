/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "worker/store/store_internal.h"
#include "common/banned.h"

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '=';
}

bool store_key_ok(const char *key)
{
    size_t n = 0;

    for (char last = '/'; key[n]; last = key[n++])
        if (n >= STORE_KEY_MAX || (key[n] != '/' && !name_byte(key[n])) ||
            (last == '/' && (key[n] == '/' || key[n] == '.')))
            return false;
    return n > 0 && key[n - 1] != '/';
}

static void unref(struct store *s)
{
    if (--s->references > 0)
        return;
    s->kind->release(s);
    free(s);
}

enum err_code store_new(struct loop *l, const char *where, struct store **out, struct err *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "the store");

    *s = (struct store){.loop = l, .references = 1, .dir = -1};
    enum err_code rc = store_dir_open(s, where, err);
    if (rc != ERR_OK) {
        free(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

void store_free(struct store *s)
{
    if (s)
        unref(s);
}

/* --- calls ------------------------------------------------------------------- */

static void call_free(struct store_call *c)
{
    unref(c->store);
    buf_release(&c->bytes);
    free(c);
}

void store_call_end(struct store_call *c)
{
    if (c->fn)
        c->fn(c->ctx, &c->bytes, &c->err);
    call_free(c);
}

void store_cancel(struct store_call *c)
{
    if (!c)
        return;
    c->fn = NULL;
    if (c->more) {
        c->more = NULL;
        c->store->kind->cancel(c);
    }
}

void store_go_on(struct store_call *c)
{
    if (c)
        c->store->kind->go_on(c);
}

void store_location(const struct store *s, const char *key, struct buf *out)
{
    s->kind->location(s, key, out);
}

static enum err_code start(const struct store_call *want, const char *key, struct store_call **out,
                           struct err *err)
{
    if (!store_key_ok(key))
        return err_set(err, ERR_INVALID, "store: '%.80s' is no key", key);
    struct store_call *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ERR_NOMEM, "a call of the store");
    *c = *want;
    c->store->references++;
    memcpy(c->key, key, strlen(key) + 1);
    enum err_code rc = c->store->kind->start(c, err);
    if (rc != ERR_OK) {
        c->bytes = BUF_INIT(0); /* they stay the caller's */
        call_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

enum err_code store_put(struct store *s, const char *key, struct buf *bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err)
{
    struct store_call want = {.store = s, .verb = STORE_PUT, .bytes = *bytes, .fn = fn, .ctx = ctx};
    enum err_code rc = start(&want, key, out, err);

    if (rc == ERR_OK)
        *bytes = BUF_INIT(bytes->max);
    return rc;
}

enum err_code store_put_from(struct store *s, const char *key, int64_t bytes,
                             ssize_t (*more)(void *ctx, char *p, size_t room), store_fn fn,
                             void *ctx, struct store_call **out, struct err *err)
{
    struct store_call want = {
        .store = s, .verb = STORE_PUT_FROM, .size = bytes, .more = more, .fn = fn, .ctx = ctx};
    return start(&want, key, out, err);
}

enum err_code store_get(struct store *s, const char *key, size_t max_bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err)
{
    struct store_call want = {
        .store = s, .verb = STORE_GET, .bytes = BUF_INIT(max_bytes), .fn = fn, .ctx = ctx};
    return start(&want, key, out, err);
}

enum err_code store_remove(struct store *s, const char *key, store_fn fn, void *ctx,
                           struct store_call **out, struct err *err)
{
    struct store_call want = {.store = s, .verb = STORE_REMOVE, .fn = fn, .ctx = ctx};
    return start(&want, key, out, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Is it the same work? Each present field goes into the hash with its name and its
 * value's length, so that no two requests run together, and a field added later
 * changes no old hash. */
#include "schema/run_request_fields.h"

#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { DIGEST = 32 };

static void add_bytes(crypto_generichash_state *h, const void *p, size_t n)
{
    uint64_t length = n;

    crypto_generichash_update(h, (const unsigned char *)&length, sizeof(length));
    crypto_generichash_update(h, p, n);
}

static void add_text(crypto_generichash_state *h, const char *s)
{
    add_bytes(h, s, strlen(s));
}

/* --- trees -------------------------------------------------------------------- */

static void hash_tree(const cJSON *node, uint8_t out[DIGEST]);

static void add_tree(crypto_generichash_state *h, const cJSON *node)
{
    uint8_t digest[DIGEST];

    hash_tree(node, digest);
    crypto_generichash_update(h, digest, DIGEST);
}

/* The members' hashes are added up as numbers, so their order does not matter. */
static void add_members(crypto_generichash_state *h, const cJSON *object)
{
    uint8_t sum[DIGEST] = {0}, one[DIGEST];
    crypto_generichash_state member;
    const cJSON *m;

    cJSON_ArrayForEach(m, object)
    {
        crypto_generichash_init(&member, NULL, 0, DIGEST);
        add_text(&member, m->string);
        add_tree(&member, m);
        crypto_generichash_final(&member, one, DIGEST);
        sodium_add(sum, one, DIGEST);
    }
    crypto_generichash_update(h, sum, DIGEST);
}

static void hash_tree(const cJSON *node, uint8_t out[DIGEST])
{
    int32_t type = node->type & 0xff;        /* without cJSON's own flags */
    double number = node->valuedouble + 0.0; /* -0 is 0 */
    crypto_generichash_state h;
    const cJSON *item;

    crypto_generichash_init(&h, NULL, 0, DIGEST);
    add_bytes(&h, &type, sizeof(type));
    if (type == cJSON_Number)
        add_bytes(&h, &number, sizeof(number));
    else if (type == cJSON_String)
        add_text(&h, node->valuestring);
    else if (type == cJSON_Object)
        add_members(&h, node);
    else if (type == cJSON_Array)
        cJSON_ArrayForEach(item, node) add_tree(&h, item);
    crypto_generichash_final(&h, out, DIGEST);
}

/* --- fields ------------------------------------------------------------------- */

static void add_pointer(crypto_generichash_state *h, const struct field *f, const void *at)
{
    const void *p = *(const void *const *)at;

    if (!p)
        return;
    add_text(h, f->name);
    if (f->kind == FIELD_TEXT || f->kind == FIELD_PROMPT || f->kind == FIELD_SESSION)
        add_text(h, p);
    else
        add_tree(h, p);
}

static void add_number(crypto_generichash_state *h, const struct field *f, const void *at, size_t n)
{
    static const char zero[8]; /* absent */

    if (n == 0 || memcmp(at, zero, sizeof(zero)) == 0)
        return;
    add_text(h, f->name);
    add_bytes(h, at, n);
}

static void add_field(crypto_generichash_state *h, const struct field *f,
                      const struct run_request *r)
{
    const void *at = run_field_at(r, f);

    switch (f->kind) {
    case FIELD_VERSION:
        return;
    case FIELD_INT:
    case FIELD_MONEY:
    case FIELD_TIME:
        add_number(h, f, at, sizeof(int64_t));
        return;
    case FIELD_WARN:
        add_number(h, f, at, r->n_warn * sizeof(r->warn_at_s[0]));
        return;
    case FIELD_TEXT:
    case FIELD_PROMPT:
    case FIELD_SESSION:
    case FIELD_TEXTS:
    case FIELD_ENV:
    case FIELD_OBJECT:
    case FIELD_FILES:
    case FIELD_ARCHIVE:
    case FIELD_REPO:
    case FIELD_ARTIFACTS:
    case FIELD_UNSUPPORTED:
        add_pointer(h, f, at);
        return;
    }
}

void run_request_hash(const struct run_request *r, uint8_t out[32])
{
    struct run_request full = *r;
    crypto_generichash_state h;

    run_request_defaults(&full);
    crypto_generichash_init(&h, NULL, 0, DIGEST);
    for (size_t i = 0; i < run_n_fields; i++)
        if (!(run_fields[i].flags & FIELD_NOT_WORK))
            add_field(&h, &run_fields[i], &full);
    crypto_generichash_final(&h, out, DIGEST);
}

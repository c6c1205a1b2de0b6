/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret/redact.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/secret/redact_internal.h"
#include "common/banned.h"

enum {
    HEAD_BYTES = REDACT_LEAST_BYTES,
    FILTER_BYTES = 4,
    FILTER_BITS = 1 << 16,
    HASH_BYTES = crypto_shorthash_siphashx24_BYTES
};

struct needle {
    uint64_t head; /* hash of its first bytes: what the needles are sorted by, then by n */
    size_t n;
    uint8_t hash[HASH_BYTES];
};

struct filter { /* which four bytes there may be */
    uint8_t bit[FILTER_BITS / 8];
};

struct redactor {
    struct filter first;  /* at the beginning of anything */
    struct filter second; /* behind them, of what is known */
    struct filter looks;  /* at the beginning of a pattern */
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    struct needle *needle;
    size_t n, cap;
    struct redact_pattern *pattern;
    size_t n_patterns;
    size_t longest;
};

/* --- the filter --------------------------------------------------------------- */

static inline uint32_t slot(const char *p)
{
    uint32_t four;

    memcpy(&four, p, sizeof(four));
    return four * UINT32_C(0x9E3779B1) >> 16;
}

static inline bool maybe(const struct filter *f, const char *p)
{
    uint32_t s = slot(p);

    return f->bit[s / 8] >> s % 8 & 1;
}

static void let_through(struct filter *f, const char *p)
{
    uint32_t s = slot(p);

    f->bit[s / 8] |= (uint8_t)(1U << s % 8);
}

/* The next place from `at` on that passes, or n. */
static size_t next(const struct redactor *r, const char *text, size_t at, size_t n)
{
    for (; at + FILTER_BYTES <= n; at++)
        if (maybe(&r->first, text + at))
            return at;
    return n;
}

/* --- what is known ------------------------------------------------------------- */

static uint64_t head_of(const struct redactor *r, const char *p)
{
    uint64_t head;
    uint8_t hash[HASH_BYTES];

    (void)crypto_shorthash_siphashx24(hash, (const uint8_t *)p, HEAD_BYTES, r->key);
    memcpy(&head, hash, sizeof(head));
    return head;
}

/* The first needle that is not before (head, n). */
static size_t find(const struct redactor *r, uint64_t head, size_t n)
{
    size_t from = 0, to = r->n;

    while (from < to) {
        size_t mid = (from + to) / 2;
        const struct needle *m = &r->needle[mid];

        if (m->head < head || (m->head == head && m->n < n))
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static enum err_code make_room(struct redactor *r, struct err *err)
{
    size_t cap = r->cap > 0 ? 2 * r->cap : 64;
    struct needle *more = r->n == r->cap ? realloc(r->needle, cap * sizeof(*more)) : r->needle;

    if (!more)
        return err_set(err, ERR_NOMEM, "what is to be cut out");
    if (r->n == r->cap)
        r->cap = cap;
    r->needle = more;
    return ERR_OK;
}

static enum err_code add_form(void *ctx, struct str form, struct err *err)
{
    struct redactor *r = ctx;
    struct needle new = {.n = form.n, .head = head_of(r, form.p)};
    size_t at = find(r, new.head, new.n);

    (void)crypto_shorthash_siphashx24(new.hash, (const uint8_t *)form.p, form.n, r->key);
    for (size_t i = at; i < r->n && r->needle[i].head == new.head && r->needle[i].n == new.n; i++)
        if (memcmp(r->needle[i].hash, new.hash, HASH_BYTES) == 0)
            return ERR_OK;
    if (make_room(r, err) != ERR_OK)
        return err->code;
    memmove(&r->needle[at + 1], &r->needle[at], (r->n - at) * sizeof(new));
    r->needle[at] = new;
    r->n++;
    let_through(&r->first, form.p);
    let_through(&r->second, form.p + FILTER_BYTES);
    if (form.n > r->longest)
        r->longest = form.n;
    return ERR_OK;
}

enum err_code redactor_know(struct redactor *r, struct str secret, struct err *err)
{
    return redact_forms(secret, add_form, r, err);
}

/* Of what begins here the longest, 0: nothing does. */
static size_t known(const struct redactor *r, struct str text, bool open)
{
    uint8_t hash[HASH_BYTES];
    size_t longest = 0, hashed = 0;

    if (text.n < HEAD_BYTES || !maybe(&r->second, text.p + FILTER_BYTES))
        return 0;
    uint64_t head = head_of(r, text.p);
    for (size_t i = find(r, head, 0); i < r->n && r->needle[i].head == head; i++) {
        const struct needle *m = &r->needle[i];

        if (m->n > text.n)
            return open ? text.n : longest;
        if (m->n != hashed)
            (void)crypto_shorthash_siphashx24(hash, (const uint8_t *)text.p, m->n, r->key);
        hashed = m->n;
        if (memcmp(hash, m->hash, HASH_BYTES) == 0)
            longest = m->n;
    }
    return longest;
}

/* --- patterns -------------------------------------------------------------------- */

static void let_pattern_through(struct redactor *r, const char *four)
{
    let_through(&r->first, four);
    let_through(&r->looks, four);
}

/* A beginning of three bytes passes with each byte that may follow. */
static void let_patterns_through(struct redactor *r, const struct redact_pattern *p)
{
    char four[FILTER_BYTES];

    memcpy(four, p->prefix, REDACT_PREFIX_MIN_BYTES);
    if (p->n_prefix >= FILTER_BYTES) {
        let_pattern_through(r, p->prefix);
        return;
    }
    for (int c = 0; c < 256; c++) {
        four[REDACT_PREFIX_MIN_BYTES] = (char)c;
        if (redact_in_class(p, (unsigned char)c) || (p->breaks && strchr("\\\r\n", c)))
            let_pattern_through(r, four);
    }
}

static enum err_code add_pattern(struct redactor *r, const struct redact_pattern *p,
                                 struct err *err)
{
    struct redact_pattern *more;

    if (r->n_patterns == REDACT_PATTERNS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d patterns", REDACT_PATTERNS_MAX);
    more = realloc(r->pattern, (r->n_patterns + 1) * sizeof(*more));
    if (!more)
        return err_set(err, ERR_NOMEM, "a pattern");
    r->pattern = more;
    r->pattern[r->n_patterns++] = *p;
    let_patterns_through(r, p);
    if (p->n_prefix + p->most > r->longest)
        r->longest = p->n_prefix + p->most;
    return ERR_OK;
}

enum err_code redactor_add_patterns(struct redactor *r, struct str text, struct err *err)
{
    struct redact_pattern p;
    struct str line;

    for (int number = 1; text.n > 0 && str_next(&text, '\n', &line); number++) {
        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (redact_pattern_parse(line, &p, err) != ERR_OK || add_pattern(r, &p, err) != ERR_OK)
            return err_wrap(err, "line %d", number);
    }
    return ERR_OK;
}

static size_t patterned(const struct redactor *r, struct str text, size_t at, bool open,
                        size_t run_end[REDACT_PATTERNS_MAX])
{
    size_t longest = 0;

    if (!maybe(&r->looks, text.p + at))
        return 0;
    for (size_t i = 0; i < r->n_patterns; i++) {
        size_t n = r->pattern[i].prefix[0] == text.p[at]
                       ? redact_pattern_match(&r->pattern[i], text, at, open, &run_end[i])
                       : 0;
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* --- cutting ---------------------------------------------------------------------- */

/* A byte is overwritten only once the search is past it: finds may overlap. */
size_t redactor_cut(const struct redactor *r, char *text, size_t n, unsigned flags)
{
    size_t found = 0, done = 0, to = 0; /* what lies from done to `to` is to be overwritten */
    size_t run_end[REDACT_PATTERNS_MAX] = {0};
    bool open = flags & REDACT_OPEN, patterns = !(flags & REDACT_KNOWN);
    struct str all = {text, n};

    for (size_t at = next(r, text, 0, n); at < n; at = next(r, text, at + 1, n)) {
        size_t a = known(r, (struct str){text + at, n - at}, open);
        size_t b = patterns ? patterned(r, all, at, open, run_end) : 0;
        size_t len = a > b ? a : b;

        if (len == 0)
            continue;
        if (at >= to) { /* the one before is finished */
            memset(text + done, '*', to - done);
            done = at;
            found++;
        }
        to = at + len > to ? at + len : to;
    }
    memset(text + done, '*', to - done);
    return found;
}

size_t redactor_longest(const struct redactor *r)
{
    return r->longest;
}

/* --- life ---------------------------------------------------------------------------- */

enum err_code redactor_new(struct redactor **out, struct err *err)
{
    struct redactor *r = calloc(1, sizeof(*r));

    if (!r)
        return err_set(err, ERR_NOMEM, "what is to be cut out");
    if (sodium_init() < 0) {
        free(r);
        return err_set(err, ERR_INTERNAL, "libsodium cannot be initialized");
    }
    randombytes_buf(r->key, sizeof(r->key));
    enum err_code rc = redactor_add_patterns(r, str_of(redact_patterns), err);
    if (rc != ERR_OK) {
        redactor_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void redactor_free(struct redactor *r)
{
    if (!r)
        return;
    free(r->needle);
    free(r->pattern);
    free(r);
}

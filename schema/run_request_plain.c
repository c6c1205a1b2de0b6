/* SPDX-License-Identifier: Apache-2.0 */
/* The quick look at a request of plain members: by the same rows as the parser, without a tree.
 * It says yes where the parser would, or that it does not know; a refusal is the parser's. */
#include "schema/run_request_fields.h"

#include <pthread.h>
#include <string.h>

#include "common/banned.h"

enum { PLACES = 256, SHARED = 255 };

/* Where a name may stand in the table of names; a few share a place. */
static unsigned place_of(const char *name, size_t n)
{
    return ((unsigned)n * 7 + (unsigned char)name[0] * 3 + (unsigned char)name[n - 1]) % PLACES;
}

/* The row of run_fields at each place, and one more; 0: none. */
static uint8_t places[PLACES];

static void fill_places(void)
{
    for (size_t i = 0; i < run_n_fields; i++) {
        uint8_t *p = &places[place_of(run_fields[i].name, strlen(run_fields[i].name))];

        *p = *p == 0 ? (uint8_t)(i + 1) : SHARED;
    }
}

/* Lines of one file are looked at by two threads. */
static uint8_t at_place(unsigned place)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fill_places);
    return places[place];
}

static bool is_called(const struct field *f, struct str key)
{
    return strncmp(f->name, key.p, key.n) == 0 && f->name[key.n] == '\0';
}

static const struct field *find(struct str key, size_t *index)
{
    uint8_t at = at_place(place_of(key.p, key.n));
    size_t from = at == SHARED ? 0 : (size_t)at - 1, to = at == SHARED ? run_n_fields : at;

    for (size_t i = from; at > 0 && i < to; i++)
        if (is_called(&run_fields[i], key)) {
            *index = i;
            return &run_fields[i];
        }
    return NULL;
}

/* An escape that may stand for an ASCII character could spell what is looked for as it stands. */
static bool has_ascii_escape(struct str s)
{
    const char *p = s.p, *end = s.p + s.n;

    while ((p = memchr(p, '\\', (size_t)(end - p)))) { /* never the last byte of a string */
        if (p[1] == 'u' && p[2] == '0' && p[3] == '0' && p[4] < '8')
            return true;
        p += 2;
    }
    return false;
}

/* Between its quotes. What is written is never shorter than what it stands for. */
static bool text_good(const struct field *f, struct str s)
{
    if (s.n < (size_t)f->least || s.n > (size_t)f->most)
        return false;
    return f->ok ? !memchr(s.p, '\\', s.n) && f->ok(s) : !has_ascii_escape(s);
}

static bool prompt_good(const struct field *f, struct str s)
{
    if (s.n == 0 || s.n > (size_t)f->most || has_ascii_escape(s))
        return false;
    /* so it is not blank */
    return s.p[0] == '\\' ? strchr("\"\\/", s.p[1]) != NULL : (unsigned char)s.p[0] > ' ';
}

static bool int_good(const struct field *f, struct str s)
{
    int64_t n;

    return str_int(s, f->most, &n) && n >= f->least;
}

static bool member_good(const struct field *f, struct str value)
{
    bool quoted = value.p[0] == '"';
    struct str inner = quoted ? (struct str){value.p + 1, value.n - 2} : value;

    if (f->kind == FIELD_TEXT)
        return quoted && text_good(f, inner);
    if (f->kind == FIELD_PROMPT)
        return quoted && prompt_good(f, inner);
    return f->kind == FIELD_INT && int_good(f, value);
}

bool run_request_is_plain(struct str json, const struct json_member *members, size_t n,
                          uint64_t *fields)
{
    *fields = 0;
    if (json.n > RUN_REQUEST_MAX_BYTES || run_secret_in_text(json))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t index = 0;
        const struct field *f = members[i].key.n ? find(members[i].key, &index) : NULL;

        if (!f || (*fields & UINT64_C(1) << index) || !member_good(f, members[i].value))
            return false;
        *fields |= UINT64_C(1) << index;
    }
    return (*fields & run_request_field_bit("prompt")) != 0;
}

uint64_t run_request_field_bit(const char *name)
{
    size_t index = 0;

    return find(str_of(name), &index) ? UINT64_C(1) << index : 0;
}

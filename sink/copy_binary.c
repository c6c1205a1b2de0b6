/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/copy_binary.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "common/banned.h"

enum { DAYS_TO_2000 = 10957 }; /* PostgreSQL counts from 2000-01-01 */
#define DAY_MS     INT64_C(86400000)
#define MS_TO_2000 (DAYS_TO_2000 * DAY_MS)

/* The signature, no flags, no header extension. */
static const char preamble[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

void copy_begin(struct buf *b)
{
    buf_add(b, preamble, sizeof(preamble));
}

static void add16(struct buf *b, int16_t v)
{
    uint16_t wire = htobe16((uint16_t)v);
    buf_add(b, &wire, sizeof(wire));
}

static void add32(struct buf *b, int32_t v)
{
    uint32_t wire = htobe32((uint32_t)v);
    buf_add(b, &wire, sizeof(wire));
}

/* Length and value in one append: most fields are eight bytes wide. */
static void field64(struct buf *b, uint64_t v)
{
    struct __attribute__((packed)) {
        uint32_t n;
        uint64_t v;
    } wire = {htobe32(8), htobe64(v)};
    static_assert(sizeof(wire) == 12, "no padding on the wire");
    buf_add(b, &wire, sizeof(wire));
}

static void field32(struct buf *b, uint32_t v)
{
    uint32_t wire[2] = {htobe32(4), htobe32(v)};
    buf_add(b, wire, sizeof(wire));
}

void copy_row(struct buf *b, int fields)
{
    assert(fields > 0 && fields <= INT16_MAX);
    add16(b, (int16_t)fields);
}

void copy_end(struct buf *b)
{
    add16(b, -1);
}

void copy_null(struct buf *b)
{
    add32(b, -1);
}

void copy_bool(struct buf *b, bool v)
{
    const char wire[5] = {0, 0, 0, 1, (char)v};
    buf_add(b, wire, sizeof(wire));
}

void copy_int4(struct buf *b, int32_t v)
{
    field32(b, (uint32_t)v);
}

void copy_int8(struct buf *b, int64_t v)
{
    field64(b, (uint64_t)v);
}

void copy_float8(struct buf *b, double v)
{
    uint64_t bits;
    static_assert(sizeof(bits) == sizeof(v), "float8 is IEEE 754 binary64");
    memcpy(&bits, &v, sizeof(bits));
    field64(b, bits);
}

void copy_uuid(struct buf *b, const uint8_t id[16])
{
    add32(b, 16);
    buf_add(b, id, 16);
}

void copy_date(struct buf *b, int64_t wall_ms)
{
    int64_t days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0); /* towards the past */
    field32(b, (uint32_t)(int32_t)(days - DAYS_TO_2000));
}

void copy_timestamptz(struct buf *b, int64_t wall_ms)
{
    field64(b, (uint64_t)((wall_ms - MS_TO_2000) * 1000));
}

void copy_text(struct buf *b, struct str s)
{
    if (!s.p) {
        copy_null(b);
        return;
    }
    assert(s.n <= INT32_MAX);
    add32(b, (int32_t)s.n);
    buf_addstr(b, s);
}

void copy_int8_or_null(struct buf *b, int64_t v)
{
    if (v)
        copy_int8(b, v);
    else
        copy_null(b);
}

void copy_timestamptz_or_null(struct buf *b, int64_t wall_ms)
{
    if (wall_ms)
        copy_timestamptz(b, wall_ms);
    else
        copy_null(b);
}

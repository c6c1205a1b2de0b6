/* SPDX-License-Identifier: Apache-2.0 */
/* Records: headers by name, and the partition of a key. */
#include "common/kafka/kafka_internal.h"

#include <string.h>

#include "common/banned.h"

struct str kafka_header(const struct kafka_record *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    }
    return (struct str){0};
}

/* MurmurHash2 as Java's client seeds it. */
static uint32_t murmur2(const unsigned char *p, size_t n)
{
    enum { R = 24 };
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28c ^ (uint32_t)n;
    for (; n >= 4; p += 4, n -= 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> R;
        h = h * m ^ k * m;
    }
    for (size_t i = n; i > 0; i--)
        h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
    if (n > 0)
        h *= m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t kafka_partition(struct str key, int32_t partitions)
{
    uint32_t positive = murmur2((const unsigned char *)key.p, key.n) & 0x7fffffff;
    return (int32_t)(positive % (uint32_t)partitions);
}

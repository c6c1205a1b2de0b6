/* SPDX-License-Identifier: Apache-2.0 */
/* A quick hash of bytes for tables, and for telling whether something changed. Not a
 * cryptographic one: who wants two texts of one hash finds them. The same everywhere. Pure. */
#ifndef SANDFLEET_COMMON_HASH64_H
#define SANDFLEET_COMMON_HASH64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Both halves of the product, so that every bit in has a say in every bit out. */
static inline uint64_t hash64_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash64_load(const char *p, size_t n) /* n <= 8 */
{
    uint64_t w = 0;

    memcpy(&w, p, n);
    return w;
}

static inline uint64_t hash64(const char *p, size_t n, uint64_t seed)
{
    const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xd1b54a32d192ed03, k2 = 0x8cb92ba72f3d8dd7;
    uint64_t h = seed ^ hash64_mix(n ^ k0, k1);

    for (; n > 16; p += 16, n -= 16)
        h = hash64_mix(hash64_load(p, 8) ^ k1, hash64_load(p + 8, 8) ^ h);
    uint64_t a = n > 8 ? hash64_load(p, 8) : 0;
    uint64_t b = n > 8 ? hash64_load(p + 8, n - 8) : n > 0 ? hash64_load(p, n) : 0;
    return hash64_mix(hash64_mix(a ^ k2, b ^ h) ^ k0, k2);
}

#endif

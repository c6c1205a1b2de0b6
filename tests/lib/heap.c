/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/heap.h"

#include <stdbool.h>

static size_t fail_at, seen;

void heap_fail_at(size_t n)
{
    fail_at = n;
    seen = 0;
}

size_t heap_seen(void)
{
    return seen;
}

static bool fails(void)
{
    return ++seen == fail_at;
}

/* The linker sends every malloc of ours to __wrap_malloc, and __real_malloc to malloc. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__real_sodium_malloc(size_t n);
void *__wrap_sodium_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

/* Locked memory is no part of the heap. */
void *__wrap_sodium_malloc(size_t n)
{
    return fails() ? NULL : __real_sodium_malloc(n);
}

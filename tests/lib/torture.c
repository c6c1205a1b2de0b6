/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/torture.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/heap.h"

/* All of the first ones, then some: what takes a thousand has a loop over its input. */
enum { EACH = 200, SOME = 25 };

static jmp_buf turn;
static bool in_turn;

void __real___assert_fail(const char *what, const char *file, unsigned line, const char *function);
void __wrap___assert_fail(const char *what, const char *file, unsigned line, const char *function);

/* The linker sends every assert of ours here. */
void __wrap___assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
    if (in_turn && strstr(file, "tests/fuzz/"))
        longjmp(turn, 1);
    __real___assert_fail(what, file, line, function);
}

/* Returns the allocations that were asked for; the n-th failed. */
static size_t run_without(size_t n, int (*target)(const uint8_t *data, size_t size),
                          const uint8_t *data, size_t size)
{
    size_t seen;

    heap_fail_at(n);
    in_turn = n > 0;
    if (setjmp(turn) == 0)
        (void)target(data, size);
    in_turn = false;
    seen = heap_seen();
    heap_fail_at(0);
    return seen;
}

size_t torture_run(int (*target)(const uint8_t *data, size_t size), const uint8_t *data,
                   size_t size)
{
    cJSON_Hooks hooks = {malloc, free};
    size_t all, done = 0;

    cJSON_InitHooks(&hooks);
    (void)run_without(0, target, data, size); /* what is kept from the first turn on */
    all = run_without(0, target, data, size);
    for (size_t n = 1; n <= all; n += n < EACH ? 1 : 1 + (all - EACH) / SOME) {
        (void)run_without(n, target, data, size);
        done++;
    }
    cJSON_InitHooks(NULL);
    return done;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target without memory: once for each allocation that an input takes, with that one
 * failing. */
#ifndef SANDFLEET_TESTS_LIB_TORTURE_H
#define SANDFLEET_TESTS_LIB_TORTURE_H

#include <stddef.h>
#include <stdint.h>

/* What a target asserts may be wrong then, and ends its turn; what our own code asserts may not.
 * Returns how many allocations failed. */
size_t torture_run(int (*target)(const uint8_t *data, size_t size), const uint8_t *data,
                   size_t size);

#endif

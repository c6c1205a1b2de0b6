/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail on demand. Linked, with the linker's --wrap, into every
 * test whose file is called test_*_torture.c. */
#ifndef SANDFLEET_TESTS_LIB_HEAP_H
#define SANDFLEET_TESTS_LIB_HEAP_H

#include <stddef.h>

/* Allocation number n from now on (the first is 1) fails, once; 0: none does. */
void heap_fail_at(size_t n);

/* Allocations since heap_fail_at(). */
size_t heap_seen(void);

#endif

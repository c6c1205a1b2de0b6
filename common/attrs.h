/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes and the two macros every file needs. */
#ifndef SANDFLEET_COMMON_ATTRS_H
#define SANDFLEET_COMMON_ATTRS_H

#define MUST_USE      __attribute__((warn_unused_result))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define AUTO(release) __attribute__((cleanup(release)))
#define COUNTOF(a)    (sizeof(a) / sizeof((a)[0]))

/* The struct that embeds `member` at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#endif

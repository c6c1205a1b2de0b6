/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that have a safe sibling here become compile errors.
 * Include it last, after every system header. */
#ifndef SANDFLEET_COMMON_BANNED_H
#define SANDFLEET_COMMON_BANNED_H

#undef sprintf /* macros of the C library's own checks, under clang */
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime atoi atol atof gets

#endif

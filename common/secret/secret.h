/* SPDX-License-Identifier: Apache-2.0 */
/* A secret in locked memory, wiped when freed. Never in argv, a log or an error. */
#ifndef SANDFLEET_COMMON_SECRET_SECRET_H
#define SANDFLEET_COMMON_SECRET_SECRET_H

#include "common/buf.h"
#include "common/err.h"

struct secret; /* opaque; sodium_malloc'ed */

enum { SECRET_MAX_BYTES = 16384 };

/* First thing in main: libsodium, RLIMIT_CORE 0, PR_SET_DUMPABLE 0. */
enum err_code secret_init(struct err *err) MUST_USE;

/* Copies; control bytes and an empty value are refused (ERR_INVALID). */
enum err_code secret_new(struct str value, struct secret **out, struct err *err) MUST_USE;
/* The same, of n bytes that the caller writes to *room; control bytes are the caller's to refuse
 * (secret_check). */
enum err_code secret_room(size_t n, struct secret **out, char **room, struct err *err) MUST_USE;
/* ERR_INVALID: it is empty or holds a control byte. ERR_TOO_BIG. */
enum err_code secret_check(struct str value, struct err *err) MUST_USE;
/* From a regular file that group and others cannot read (below $CREDENTIALS_DIRECTORY the group
 * may); one trailing newline is dropped. */
enum err_code secret_from_file(const char *path, struct secret **out, struct err *err) MUST_USE;
/* Such a file's bytes into the caller's memory, which is to be wiped. ERR_TOO_BIG unless it is
 * shorter than `room`. ERR_CONFIG names the mode that lets others in. */
enum err_code secret_read_file(const char *path, char *text, size_t room, size_t *n,
                               struct err *err) MUST_USE;
/* From an environment variable, which is then overwritten and unset. *out NULL: not set. */
enum err_code secret_from_env(const char *name, struct secret **out, struct err *err) MUST_USE;

struct str secret_value(const struct secret *s); /* borrowed */
void secret_free(struct secret *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The agents' credentials that this worker can open, by name. The ledger knows their names
 * (ledger.credentials) and chooses one for a run; the secrets never leave this process but into
 * a sandbox. All workers of a fleet are to be given the same ones. */
#ifndef SANDFLEET_WORKER_CREDENTIALS_H
#define SANDFLEET_WORKER_CREDENTIALS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/secret.h"

enum { CREDENTIALS_MAX = 256, CREDENTIALS_FILE_BYTES = 256 * 1024 };
#define CREDENTIAL_DEFAULT "default" /* what a request names that names none */

enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_OAUTH, CREDENTIAL_API_KEY, CREDENTIAL_KINDS };
const char *credential_kind_name(enum credential_kind k); /* "oauth" */
const char *credential_kind_env(enum credential_kind k);  /* names its descriptor; NULL: none */

struct credential {
    char *name, *pool; /* pool NULL: in none */
    enum credential_kind kind;
    struct secret *secret; /* NULL only of kind none: agents run without one */
};

struct credentials { /* zero: none; release it */
    struct credential *items;
    size_t n;
};

/* Copies. secret NULL: kind none. ERR_CONFIG: the name is there already, or is a pool's. */
enum err_code credentials_add(struct credentials *c, struct str name, struct str pool,
                              enum credential_kind kind, struct str secret,
                              struct err *err) MUST_USE;

/* A credential a line: name, kind (oauth or api_key), pool or "-", token; blanks between them.
 * Empty lines, and those that begin with '#', do not count. Errors name the line, never what
 * is in it. */
enum err_code credentials_parse(struct credentials *c, struct str text, struct err *err) MUST_USE;
/* The same from a regular file that group and others cannot read. */
enum err_code credentials_read(struct credentials *c, const char *path, struct err *err) MUST_USE;

/* Borrowed; NULL: none of that name. */
const struct credential *credentials_find(const struct credentials *c, const char *name);

void credentials_release(struct credentials *c);

#endif

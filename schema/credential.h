/* SPDX-License-Identifier: Apache-2.0 */
/* What a credential of the agents is, and what its sealed secret is bound to. Pure. */
#ifndef SANDFLEET_SCHEMA_CREDENTIAL_H
#define SANDFLEET_SCHEMA_CREDENTIAL_H

#include "common/secret/sealed.h"

enum { CREDENTIAL_URL_MAX_BYTES = 1024 };
#define CREDENTIAL_DEFAULT     "default" /* what a request names that names none */
#define CREDENTIAL_API_URL     "https://api.anthropic.com" /* the model's own API */
#define CREDENTIAL_ALL_TENANTS "*"

/* name; the word for people */
#define CREDENTIAL_KIND_MAP(X)                                                                     \
    X(NONE, "none")       /* agents run without one */                                             \
    X(OAUTH, "oauth")     /* a token of `claude setup-token`: Authorization: Bearer */             \
    X(API_KEY, "api_key") /* x-api-key */                                                          \
    X(GATEWAY, "gateway") /* a token for base_url: Authorization: Bearer */
#define CREDENTIAL_KIND_ENUM(name, text) CREDENTIAL_##name,
enum credential_kind { CREDENTIAL_KIND_MAP(CREDENTIAL_KIND_ENUM) CREDENTIAL_KINDS };
#undef CREDENTIAL_KIND_ENUM

const char *credential_kind_name(enum credential_kind k); /* "oauth" */
/* False: it is no kind's. A dash stands for an underscore, too. */
bool credential_kind_parse(struct str name, enum credential_kind *out);
/* The kind whose secrets look like this one; NONE: any may. */
enum credential_kind credential_kind_guess(struct str secret);

struct credential_what { /* borrowed; all of it is bound to the sealed secret */
    struct str tenant;   /* "*": all */
    struct str name;
    enum credential_kind kind;
    struct str base_url; /* empty: none */
};

/* ERR_INVALID says what is wrong with the names, the address, or their being together. */
enum err_code credential_check(const struct credential_what *w, struct err *err) MUST_USE;
/* And with its secret: one of another kind, a refresh token, a byte that no header may have. */
enum err_code credential_check_secret(const struct credential_what *w, struct str secret,
                                      struct err *err) MUST_USE;

/* As sealed_close(), sealed_open() and sealed_rewrap(). */
enum err_code credential_seal(const struct keyring *k, const struct credential_what *w,
                              const struct secret *plain, struct sealed *out,
                              struct err *err) MUST_USE;
enum err_code credential_open(const struct keyring *k, const struct credential_what *w,
                              const struct sealed *s, struct secret **plain,
                              struct err *err) MUST_USE;
enum err_code credential_rewrap(const struct keyring *k, const struct credential_what *w,
                                struct sealed *s, struct err *err) MUST_USE;

/* From the columns key_id, wrapped and sealed, the latter as encode(…, 'hex') tells them.
 * ERR_INVALID: they are no such thing. */
enum err_code credential_read_sealed(const char *key_id, const char *wrapped, const char *sealed,
                                     struct sealed *out, struct err *err) MUST_USE;

#endif

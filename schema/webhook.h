/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant's webhook endpoint: what it may be called, the keys that its deliveries are signed with,
 * and what a sealed one of them is bound to. The keys are those of Standard Webhooks. Pure. */
#ifndef SANDFLEET_SCHEMA_WEBHOOK_H
#define SANDFLEET_SCHEMA_WEBHOOK_H

#include <stdbool.h>

#include "common/secret/sealed.h"

enum {
    WEBHOOK_URL_MAX_BYTES = 2048,
    WEBHOOK_KEY_BYTES = 32,     /* of one that is made here */
    WEBHOOK_KEY_MIN_BYTES = 24, /* of v1, as Standard Webhooks has it */
    WEBHOOK_KEY_MAX_BYTES = 64,
    WEBHOOK_KEY_TEXT_MAX_BYTES = 128
};

/* name; the word before its signatures */
#define WEBHOOK_SCHEME_MAP(X)                                                                      \
    X(V1, "v1")   /* HMAC-SHA256: both sides know the secret */                                    \
    X(V1A, "v1a") /* Ed25519: the receiver knows the public key only */
#define WEBHOOK_SCHEME_ENUM(name, text) WEBHOOK_##name,
enum webhook_scheme { WEBHOOK_SCHEME_MAP(WEBHOOK_SCHEME_ENUM) WEBHOOK_SCHEMES };
#undef WEBHOOK_SCHEME_ENUM

const char *webhook_scheme_name(enum webhook_scheme s); /* "v1" */
bool webhook_scheme_parse(struct str name, enum webhook_scheme *out);

/* An end of a run, "completed"; not "sandfleet.run.completed". */
bool webhook_state_ok(struct str state);

/* ERR_INVALID: no name; or no http(s) URL with a host, without user, blanks and fragment; or a
 * plain http one where that was not asked for. */
enum err_code webhook_check(struct str name, struct str url, bool plain_http,
                            struct err *err) MUST_USE;

/* --- keys: text, as in "whsec_MfKQ9r8G…" ------------------------------------------------ */

struct webhook_key_of { /* borrowed; all of it is bound to the sealed key */
    struct str tenant, name;
    enum webhook_scheme scheme;
};

/* A random one; yours: "whsec_…", or "whsk_…", the seed of a key pair. ERR_NOMEM. */
enum err_code webhook_key_new(enum webhook_scheme s, struct secret **out, struct err *err) MUST_USE;
/* Its bytes, to be wiped. ERR_INVALID: it is no key of that scheme. */
enum err_code webhook_key_bytes(enum webhook_scheme s, struct str key,
                                uint8_t out[WEBHOOK_KEY_MAX_BYTES], size_t *n,
                                struct err *err) MUST_USE;
/* What the receiver needs, appended: of v1 the secret itself; else "whpk_…", a public key. As
 * webhook_key_bytes(), and ERR_TOO_BIG, ERR_NOMEM. */
enum err_code webhook_key_shown(enum webhook_scheme s, struct str key, struct buf *out,
                                struct err *err) MUST_USE;

/* As sealed_close(), sealed_open() and sealed_rewrap(). */
enum err_code webhook_key_seal(const struct keyring *k, const struct webhook_key_of *of,
                               const struct secret *key, struct sealed *out,
                               struct err *err) MUST_USE;
enum err_code webhook_key_open(const struct keyring *k, const struct webhook_key_of *of,
                               const struct sealed *s, struct secret **key,
                               struct err *err) MUST_USE;

enum err_code webhook_key_rewrap(const struct keyring *k, const struct webhook_key_of *of,
                                 struct sealed *s, struct err *err) MUST_USE;

#endif

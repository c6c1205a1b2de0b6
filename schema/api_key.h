/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: sfk_<id>_<secret>, both in hexadecimal digits. Stored is the id and a hash; whoever
 * reads the table cannot come in by it. */
#ifndef SANDFLEET_SCHEMA_API_KEY_H
#define SANDFLEET_SCHEMA_API_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    API_KEY_ID = 12 + 1, /* with its NUL */
    API_KEY_BYTES = 32,  /* of the secret, and of its hash */
    API_KEY_TEXT = 4 + 12 + 1 + 2 * API_KEY_BYTES + 1,
    API_KEY_LABEL_MAX = 128,
    API_KEY_LIFE_MAX_DAYS = 3660
};
#define API_KEY_PREFIX  "sfk_"
#define API_KEY_CHANNEL "access_keys" /* notifications; the payload is the id of what changed */

/* Bits. ADMIN includes the others. */
enum api_scope { API_SUBMIT = 1, API_READ = 2, API_ADMIN = 4 };

/* --- pure ---------------------------------------------------------------------- */

struct api_key {
    char id[API_KEY_ID];
    uint8_t secret[API_KEY_BYTES]; /* to be wiped */
};

bool api_key_parse(struct str text, struct api_key *out); /* false: it is none */
void api_key_hash(const struct api_key *k, uint8_t out[API_KEY_BYTES]);
/* In constant time. */
bool api_key_matches(const struct api_key *k, const uint8_t hash[API_KEY_BYTES]);
bool api_key_id_ok(struct str id);

/* "submit,read" or "{read,submit}", as Postgres writes it. false: there is none, or another word.
 */
bool api_scopes_parse(struct str words, unsigned *out);
void api_scopes_write(unsigned scopes, struct buf *out); /* "submit,read" */
void api_scopes_json(unsigned scopes, struct buf *out);  /* ["submit","read"] */
bool api_scopes_allow(unsigned scopes, enum api_scope wanted);

/* --- for commands: these block ------------------------------------------------- */

struct api_key_want {   /* borrowed */
    const char *tenant; /* a name */
    const char *label;  /* NULL: none */
    unsigned scopes;
    int64_t life_ms; /* 0: it does not expire */
};

/* Makes a key. `text` gets it (API_KEY_TEXT bytes, to be wiped): it cannot be had again.
 * ERR_INVALID, ERR_UNAVAILABLE, ERR_CONFIG. */
enum err_code api_keys_create(const char *conninfo, const struct api_key_want *w, char *text,
                              struct buf *expires, struct err *err) MUST_USE;
/* A JSON array, or a table for people; tenant NULL: of all. */
enum err_code api_keys_list(const char *conninfo, const char *tenant, bool json, struct buf *out,
                            struct err *err) MUST_USE;
/* ERR_NOT_FOUND. *was: it had been revoked before. */
enum err_code api_keys_revoke(const char *conninfo, const char *id, bool *was,
                              struct err *err) MUST_USE;

#endif

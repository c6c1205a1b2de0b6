/* SPDX-License-Identifier: Apache-2.0 */
/* JSON three ways: strict trees at the doors (cJSON behind a check), writing
 * into a buf, and one pass over a line in the hot path. Pure. */
#ifndef SANDFLEET_COMMON_JSON_JSON_H
#define SANDFLEET_COMMON_JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"

/* --- the one pass --------------------------------------------------------
 * Validates RFC 8259 (strict UTF-8, depth, nothing behind the value). */
enum { JSON_MAX_DEPTH = 64 };

struct json_member {  /* a top-level member of an object, as it stands in the text */
    struct str key;   /* between its quotes, escapes not decoded */
    struct str value; /* with its quotes, braces or brackets */
};

struct json_scan {
    bool is_object;
    size_t n_members; /* all of them, also past the room given */
    size_t unsafe;    /* \u0000 and lone surrogates seen: jsonb refuses them */
    size_t error_at;  /* byte offset, when not ERR_OK */
};

/* Scans `text`; the first `room` top-level members go to `members`.
 * ERR_INVALID with the byte offset in the message. No allocation. */
enum err_code json_scan(struct str text, struct json_member *members, size_t room,
                        struct json_scan *out, struct err *err) MUST_USE;

/* The member's value, or an empty view. */
struct str json_member(const struct json_member *members, size_t n, const char *key);

/* Overwrites \u0000 and lone surrogates by \ufffd in a text that json_scan
 * accepted; the length stays. Returns how many. */
size_t json_sanitize(char *text, size_t n);

/* A text that json_scan accepted, shortened to at most max bytes by cutting
 * its longest strings (each keeps a head and ends in "…[+N bytes]"); still valid
 * JSON. ERR_TOO_BIG when no cut of strings suffices. Appends to out. */
enum err_code json_shorten(struct str text, size_t max, struct buf *out, struct err *err) MUST_USE;

/* Decodes a JSON string with its quotes (as in json_member.value); appends to
 * out. ERR_INVALID when it is not a string. */
enum err_code json_unquote(struct str quoted, struct buf *out, struct err *err) MUST_USE;

/* --- trees --------------------------------------------------------------- */
enum {
    JSON_STRICT = 1 << 0 /* also refuses duplicate keys, \u0000, lone surrogates, 1e999 */
};

/* Yours: cJSON_Delete. ERR_INVALID, ERR_NOMEM. `text` need not end in NUL. */
enum err_code json_parse(struct str text, unsigned flags, cJSON **out, struct err *err) MUST_USE;
void json_delete(cJSON **tree); /* for AUTO() */
#define AUTO_JSON AUTO(json_delete) cJSON

/* Field getters: NULL / false when missing or of another type. Borrowed. */
const char *json_get_string(const cJSON *obj, const char *key);
bool json_get_int(const cJSON *obj, const char *key, int64_t *out); /* whole, |n| <= 2^53 */
bool json_get_number(const cJSON *obj, const char *key, double *out);
bool json_get_bool(const cJSON *obj, const char *key, bool *out);
const cJSON *json_get(const cJSON *obj, const char *key); /* case-sensitive */

/* --- writing -------------------------------------------------------------
 * Appends compact JSON. A comma is written by the key functions when the
 * last byte is not '{' or '['. Invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct buf *b, struct str s);              /* "…" with quotes */
void json_key(struct buf *b, const char *key);                  /* [,]"key": */
void json_kv(struct buf *b, const char *key, const char *cstr); /* NULL: writes nothing */
void json_kv_str(struct buf *b, const char *key, struct str s);
void json_kv_int(struct buf *b, const char *key, int64_t n);
void json_kv_num(struct buf *b, const char *key, double d); /* shortest that reads back */
void json_kv_bool(struct buf *b, const char *key, bool v);
void json_kv_raw(struct buf *b, const char *key, struct str json); /* verbatim value */

#endif

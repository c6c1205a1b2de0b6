/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted faults: rules that say which answers go wrong, and how. For tests;
 * off unless a file or the admin endpoint brings rules. Pure.
 *
 * The text is a JSON list of rules, or {"rules":[…]} as faults_json() writes it:
 *   {"on":"POST /v2/sandboxes","skip":0,"times":1,"do":"answer","status":429,
 *    "headers":{"Retry-After":"1"},"body":"text, or a JSON value"}
 *   on     method and path of a row of the route table; each may be *
 *   skip   requests that pass first (0); times: how often it fires (1; 0: for ever)
 *   do     what happens; it decides which other members there may be */
#ifndef SANDFLEET_SANDBOXD_WEB_FAULTS_H
#define SANDFLEET_SANDBOXD_WEB_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"
#include "sandboxd/web/route.h"

enum {
    FAULTS_MAX = 256,           /* rules */
    FAULTS_BYTES = 1 << 20,     /* their text */
    FAULT_MS_MAX = 24 * 3600000 /* longest delay */
};

/* name, word, meaning */
#define FAULT_MAP(X)                                                                               \
    X(ANSWER, "answer")       /* status, headers, body */                                          \
    X(DELAY, "delay")         /* ms, then it goes on */                                            \
    X(CUT, "cut")             /* TCP reset after_bytes of the body; -1: before the headers */      \
    X(HALF_OPEN, "half_open") /* nothing is sent after_bytes of the body; no end either */         \
    X(DRIP, "drip")           /* bytes_per_s of the body */                                        \
    X(NO_END, "no_end")       /* clean end after_bytes; without it: all but the end frame */       \
    X(LOSE, "lose")           /* the sandbox is killed first */                                    \
    X(DISK_FULL, "disk_full") /* 507 */                                                            \
    X(WRONG_TOKEN, "wrong_token")

#define FAULT_ENUM(name, word) FAULT_##name,
enum fault_kind { FAULT_NONE, FAULT_MAP(FAULT_ENUM) FAULT_KINDS };
#undef FAULT_ENUM

const char *fault_word(enum fault_kind k); /* "answer" */

enum { FAULT_UNTOLD = -2 }; /* of after_bytes */

struct fault { /* a rule */
    enum fault_kind kind;
    char method[16], path[128]; /* "*": any */
    int64_t skip, times, seen, fired;
    int status;
    char *body, *type; /* NULL: no body; its Content-Type */
    cJSON *headers;    /* strings; NULL: none */
    int64_t ms, after_bytes, bytes_per_s;
};

struct faults;

/* Yours. ERR_INVALID names the rule, counted from 0, and what is wrong with it. */
enum err_code faults_parse(struct str json, struct faults **out, struct err *err) MUST_USE;
void faults_free(struct faults *f);
size_t faults_count(const struct faults *f); /* NULL: 0 */

/* ERR_INVALID: a rule names no row of the table, so it could never fire. */
enum err_code faults_check(const struct faults *f, const struct route *rows, size_t n,
                           struct err *err) MUST_USE;

/* The rule that this request meets, counted as seen and fired; NULL: none, or f is NULL.
 * Rules are tried in their order, the first that is due wins; those behind it see nothing. */
const struct fault *faults_next(struct faults *f, const char *method, const char *path);

void faults_json(const struct faults *f, struct buf *out); /* with "seen" and "fired" */

#endif

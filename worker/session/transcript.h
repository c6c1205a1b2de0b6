/* SPDX-License-Identifier: Apache-2.0 */
/* What a session's transcript is stored as, and under which key. Agents print secrets, so it
 * never leaves the worker as it is: sealed under a key where there is one, else with the known
 * secrets masked. Pure; any thread. */
#ifndef SANDFLEET_WORKER_TRANSCRIPT_H
#define SANDFLEET_WORKER_TRANSCRIPT_H

#include "common/buf.h"
#include "common/err.h"
#include "common/secret/secret.h"
#include "worker/store/store.h"

enum {
    TRANSCRIPT_MAX_BYTES = 32 << 20, /* a longer one stays in its sandbox */
    TRANSCRIPT_SEAL_BYTES = 64,      /* more than that when stored, at most */
    TRANSCRIPT_HASH_TEXT = 65        /* SHA-256 in hex, with its NUL */
};

/* Of what one owner of one attempt stores: nobody else ever writes there, so what the ledger
 * points to is never overwritten. Names of tenant and session are not in it. */
struct transcript_name {
    const char *tenant, *session_id, *run_id;
    int64_t attempt, epoch;
};
void transcript_key(const struct transcript_name *n, char out[STORE_KEY_MAX + 1]);

/* From the text (left empty) to what is stored under `key`, and its hash. Without `seal` the
 * caller has cut secrets out before (redactor_cut). ERR_NOMEM. */
enum err_code transcript_close(const struct secret *seal, const char *key, struct buf *text,
                               struct buf *out, char hash[TRANSCRIPT_HASH_TEXT],
                               struct err *err) MUST_USE;
/* The way back; *stored is left empty. ERR_INVALID: it is not what was stored. ERR_CONFIG:
 * it is sealed, and this worker has no key, or another one. */
enum err_code transcript_open(const struct secret *seal, const char *key, const char *hash,
                              struct buf *stored, struct buf *out, struct err *err) MUST_USE;

#endif

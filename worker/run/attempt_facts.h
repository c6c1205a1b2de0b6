/* SPDX-License-Identifier: Apache-2.0 */
/* What an attempt is given, so that whoever looks later can tell whether two of them were
 * the same: the agent's arguments, and hashes of what is too long or too private for a
 * column. Pure. */
#ifndef SANDFLEET_WORKER_ATTEMPT_FACTS_H
#define SANDFLEET_WORKER_ATTEMPT_FACTS_H

#include "common/buf.h"
#include "schema/run_request.h"
#include "worker/run/claude_args.h"

enum { ATTEMPT_FACTS_HASH_TEXT = 64 + 1 };

/* Appends the members template, arguments (texts of a user's, and long ones, as
 * "blake2b:<hash>"), arguments_hash, prompt_hash, system_prompt_hash and files_hash to the
 * object under way in out; the last two only where there is something to hash. Hashes are
 * BLAKE2b-256 in hex: of the text; of all arguments in full, each with its NUL; of the
 * files' JSON without white space. */
void attempt_facts_write(const struct run_request *q, const struct claude_args *a, struct buf *out);

/* BLAKE2b-256 in hex; `out` is given back. */
const char *attempt_facts_hash(struct str text, char out[ATTEMPT_FACTS_HASH_TEXT]);

#endif

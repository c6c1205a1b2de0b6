/* SPDX-License-Identifier: Apache-2.0 */
/* A run's credential on its way to the agent. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_CREDENTIAL_H
#define SANDFLEET_WORKER_CREDENTIAL_H

#include "common/secret/redact.h"
#include "worker/ledger/claim_credential.h"

/* The variable that tells Claude Code which descriptor to read it from; NULL: kind none. */
const char *credential_descriptor(enum credential_kind k);

/* The variable that it would be in: where the real one is added outside, Claude Code gets a
 * stand-in. */
const char *credential_variable(enum credential_kind k);

/* Opens it and lets the redactor know it: from then on no form of it leaves the worker. *plain
 * (NULL: nobody wants it) is yours, and NULL of kind none. As claim_credential_open(). */
enum err_code credential_learn(const struct claim_credential *c, const struct keyring *keys,
                               struct redactor *r, struct secret **plain, struct err *err) MUST_USE;

#endif

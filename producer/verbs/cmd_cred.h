/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet cred …`: its settings, shared by its files. */
#ifndef SANDFLEET_PRODUCER_VERBS_CMD_CRED_H
#define SANDFLEET_PRODUCER_VERBS_CMD_CRED_H

#include "producer/client.h"
#include "schema/credential.h"

struct cred { /* what the cred commands have of their own */
    struct client client;
    char *kind, *pool, *base_url, *secret_file;
    char *key_file, *key_command;
    bool offline, replace;
};

int command_cred_add(struct client *c, int n, char **words);
int command_cred_list(struct client *c, int n, char **words);
int command_cred_limits(struct client *c, int n, char **words);
int command_cred_test(struct client *c, int n, char **words);
int command_cred_rotate(struct client *c, int n, char **words);
int command_cred_disable(struct client *c, int n, char **words);
int command_cred_enable(struct client *c, int n, char **words);
int command_cred_rm(struct client *c, int n, char **words);
int command_cred_rewrap(struct client *c, int n, char **words);

/* --- cred_secret.c ------------------------------------------------------------ */

/* The secret from a file that only its owner can read, or (path NULL) from standard input, where a
 * person is asked for it and does not see it. It is never taken from an argument. */
enum err_code cred_secret_read(const char *path, struct secret **out, struct err *err) MUST_USE;

/* --- cred_ask.c --------------------------------------------------------------- */

/* Asks the model's API (base_url NULL: CREDENTIAL_API_URL) for its list of models with the secret;
 * *status is the answer's. Blocks, 15 s at most. ERR_UNAVAILABLE. */
enum err_code cred_ask(const char *base_url, enum credential_kind kind, const struct secret *secret,
                       long *status, struct err *err) MUST_USE;

#endif

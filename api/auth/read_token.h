/* SPDX-License-Identifier: Apache-2.0 */
/* Read tokens: sfr_<key id>.<expires>.<tenant>.<mac>. Whoever has one may follow one run's events
 * until it expires. It is signed with the hash of the API key that asked for it: so it ends when
 * that key does, every server knows it, and there is no other secret to keep. Pure. */
#ifndef SANDFLEET_API_AUTH_READ_TOKEN_H
#define SANDFLEET_API_AUTH_READ_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/uuid.h"
#include "schema/api_key.h"
#include "schema/run_request.h"

#define READ_TOKEN_PREFIX "sfr_"

enum { READ_TOKEN_MAC = 32, READ_TOKEN_LIFE_MAX_S = 3600, READ_TOKEN_LIFE_S = 600 };

struct read_token {
    char key_id[API_KEY_ID];
    char tenant[RUN_NAME_MAX_BYTES + 1];
    int64_t expires_s; /* Unix time */
    uint8_t mac[READ_TOKEN_MAC];
};

/* Signs for this run, and appends the token. */
void read_token_write(struct read_token *t, const char *run_id, const uint8_t hash[API_KEY_BYTES],
                      struct buf *out);
bool read_token_parse(struct str text, struct read_token *out); /* false: it is none */
/* In constant time: was it signed for this run? Whether it expired is another question. */
bool read_token_matches(const struct read_token *t, const char *run_id,
                        const uint8_t hash[API_KEY_BYTES]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/credential.h"

#include "common/banned.h"

const char *credential_descriptor(enum credential_kind k)
{
    switch (k) {
    case CREDENTIAL_NONE:
        break;
    case CREDENTIAL_OAUTH:
    case CREDENTIAL_GATEWAY: /* a bearer token either way; ANTHROPIC_AUTH_TOKEN has no descriptor */
        return "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR";
    case CREDENTIAL_API_KEY:
        return "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR";
    case CREDENTIAL_KINDS:
        break;
    }
    return NULL;
}

const char *credential_variable(enum credential_kind k)
{
    switch (k) {
    case CREDENTIAL_NONE:
        break;
    case CREDENTIAL_OAUTH:
        return "CLAUDE_CODE_OAUTH_TOKEN";
    case CREDENTIAL_API_KEY:
        return "ANTHROPIC_API_KEY";
    case CREDENTIAL_GATEWAY:
        return "ANTHROPIC_AUTH_TOKEN";
    case CREDENTIAL_KINDS:
        break;
    }
    return NULL;
}

enum err_code credential_learn(const struct claim_credential *c, const struct keyring *keys,
                               struct redactor *r, struct secret **plain, struct err *err)
{
    struct secret *open = NULL;
    enum err_code rc = claim_credential_open(c, keys, &open, err);

    if (rc == ERR_OK)
        rc = redactor_know(r, secret_value(open), err);
    if (rc == ERR_OK && plain) {
        *plain = open;
        return ERR_OK;
    }
    secret_free(open);
    return rc;
}

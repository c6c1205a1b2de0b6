/* SPDX-License-Identifier: Apache-2.0 */
/* Signed URLs of /files: access to one path for one operation, without a token. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_SIGN_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_SIGN_H

#include <stdint.h>

#include "common/buf.h"

struct file_sign { /* of the request's query, decoded once; p NULL: not there */
    struct str path, user, signature, expiration;
    const char *operation; /* "read" or "write" */
    const char *token;     /* the sandbox's */
};

/* NULL: valid. Else why not, as envd says it. now_s: unix seconds. */
const char *file_sign_refusal(const struct file_sign *s, int64_t now_s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* From a run request to Claude's argument list and environment. The prompt is not in
 * it: it goes to stdin by file. No secret is, either. Pure. */
#ifndef SANDFLEET_WORKER_CLAUDE_ARGS_H
#define SANDFLEET_WORKER_CLAUDE_ARGS_H

#include <stddef.h>

#include "common/err.h"
#include "common/uuid.h"
#include "schema/run_request.h"

struct claude_args {
    char **args; /* after "claude -p"; NULL-terminated */
    char **env;  /* "NAME=value"; NULL-terminated */
    size_t n_args, n_env;
};

struct claude_want {
    const struct run_request *request;
    int64_t attempt;
    const char *resume;   /* Claude's id of the conversation to go on with; NULL: a new one */
    const char *base_url; /* ANTHROPIC_BASE_URL for the agent; NULL: its own default */
    const char *stand_in; /* variable of a credential that is added outside; NULL: none */
};

/* Yours: claude_args_release. ERR_NOMEM. */
enum err_code claude_args_make(const struct claude_want *w, struct claude_args *out,
                               struct err *err) MUST_USE;
void claude_args_release(struct claude_args *a);

/* Claude's session id of a new conversation: the same for the same attempt, another for
 * the next, since Claude refuses an id that was used. */
void claude_session_id(const char *run_id, int64_t attempt, char out[UUID_TEXT]);

#endif

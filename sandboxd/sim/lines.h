/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of `claude -p --output-format stream-json --verbose`, in the form of
 * Claude Code 2.1.329, each written to stdout at once. What the lines say is
 * always marked as simulated. */
#ifndef SANDFLEET_SANDBOXD_SIM_LINES_H
#define SANDFLEET_SANDBOXD_SIM_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define SIM_MODEL   "claude-simulated"
#define SIM_VERSION "0.0.0-simulated"

enum { SIM_LINE_MAX = 64 << 20 };

struct run { /* one call of the program */
    const char *session_id;
    int64_t started_ms;
    int64_t tokens_in, tokens_out;   /* of this call, estimated from the texts */
    int64_t session_in, session_out; /* of the session's earlier calls */
    int64_t num_turns;
};

/* A failure as the API would have reported it: a row of fail.c. */
struct fail {
    const char *name;     /* in the directive */
    const char *subtype;  /* of the result line; NULL: no result line at all */
    const char *terminal; /* terminal_reason */
    int status;           /* HTTP; 0: none */
    const char *api_type; /* api_error_type */
    const char *error;    /* of the assistant line */
    const char *text;     /* what the person reads */
    int retries;          /* api_retry lines before it */
    bool limit;           /* a rate_limit_event line before it */
};

const struct fail *fail_find(struct str name); /* NULL: unknown */

void line_init(const struct run *r, const char *permission_mode);
void line_text(struct run *r, struct str text);
void line_tool(struct run *r, struct str tool, struct str input, struct str output);
void line_retry(const struct run *r, const struct fail *f, int attempt);
void line_limit(const struct run *r, int64_t resets_at_s);
void line_api_error(const struct run *r, const struct fail *f);
void line_interrupted(const struct run *r);
void line_raw(struct str bytes);

void line_result(const struct run *r, struct str text);
void line_result_failed(const struct run *r, const struct fail *f);
void line_no_conversation(const struct run *r);

int64_t tokens_of(struct str text); /* about four bytes a token */

#endif

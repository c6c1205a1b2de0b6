/* SPDX-License-Identifier: Apache-2.0 */
/* One agent process in a sandbox, and its output: the sandbox keeps the truth in
 * files, this follows them (design: capture by file and offset).
 *
 * ~/.sandfleet/<run>/<attempt>/  prompt, token (unlinked once opened), transcript (of an earlier
 * sandbox; moved to where Claude looks for it), job (the supervisor and its settings), started/
 * (made by atomic mkdir: a second start is harmless), pid (the supervisor), agent (the agent's
 * group), child (the agent), cancelled (nothing of the agent is to be left), cost (the
 * conversation's total before), out.ndjson, err.log, rc ("<exit status>", written last, by rename).
 *
 * A cut, silent or slow stream is dropped and opened again at the last complete line; after
 * repeated failures ranged GET /files takes over. The end is: rc exists and offset == size.
 * Single-threaded. Nothing here blocks. */
#ifndef SANDFLEET_WORKER_CAPTURE_H
#define SANDFLEET_WORKER_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/secret/secret.h"
#include "worker/e2b/sandbox.h"

struct capture; /* opaque */

enum {
    CAPTURE_LINE_MAX_BYTES =
        8 << 20, /* a longer line reaches us cut, marked; the file has it all */
    CAPTURE_LOG_MAX_BYTES = 100 << 20,   /* of an attempt; more ends it */
    CAPTURE_STDERR_MAX_BYTES = 32 << 10, /* the tail that ended() gets… */
    CAPTURE_STDERR_KEPT_BYTES = 16 << 10 /* …and what is told of it */
};

struct capture_spec { /* borrowed until return */
    const char *run_id;
    int64_t attempt;
    struct str prompt;          /* by file, to claude's stdin */
    const char *const *args;    /* after "claude -p"; NULL-terminated */
    const char *const *env;     /* "NAME=value", plain values; NULL-terminated */
    const char *credential_env; /* the variable that names the descriptor, e.g.
                                 * CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR; NULL: none */
    const struct secret *credential;
    bool proxied; /* it is added outside: where the sandbox's way out is a proxy of plain requests,
                   * the agent's go to that, as the proxy reads and secures them */
    const char *claude_session; /* the conversation's id: a file's name */
    struct str
        transcript; /* its, to resume from, in a sandbox that does not have it; empty: none */
    const char *working_dir; /* relative to the home; made when missing */
    int64_t timeout_s;       /* hard limit inside the sandbox: TERM, 10 s, KILL, rc 124 */
    bool resume;             /* the supervisor may already run: look before starting */
    int64_t offset, line;    /* where to go on: behind the last acknowledged line */
};

struct capture_line {
    struct str text;    /* borrowed, without newline; our copy: may be changed in place */
    char *mutable_text; /* the same bytes */
    int64_t n;          /* number among the non-blank lines, from 1 */
    int64_t end_offset; /* in out.ndjson, behind its newline */
    int64_t true_bytes; /* > text.n when it was over CAPTURE_LINE_MAX_BYTES */
    bool unterminated;  /* the last line, without a newline */
};

struct capture_end {
    int exit_status;      /* as a shell says it: 124 timed out, 128 + signal */
    int64_t bytes, lines; /* of out.ndjson; lines without blank ones */
    int64_t blank_lines;
    struct str stderr_tail; /* borrowed */
    bool log_ceiling;       /* ended by us at CAPTURE_LOG_MAX_BYTES */
    /* Lines of the transcript, borrowed: the conversation's total of costs before this agent and
     * behind it. Empty: there is none, or nobody wanted it. */
    struct str cost_before, cost_after;
};

struct capture_events {         /* called from the loop */
    void (*started)(void *ctx); /* the supervisor is known to have started */
    void (*line)(void *ctx, const struct capture_line *line);
    /* Asked behind the last line: did the agent leave unsaid what it cost? NULL: never. */
    bool (*wants_cost)(void *ctx);
    void (*ended)(void *ctx, const struct capture_end *end); /* last call */
    /* last call. GONE: the sandbox is no more. INTERNAL: the supervisor died without rc.
     * Others RETRY: it could not be started or followed within the deadline. */
    void (*failed)(void *ctx, const struct err *e);
};

enum err_code capture_start(struct sandbox *sb, const struct capture_spec *spec,
                            const struct capture_events *ev, void *ctx, struct capture **out,
                            struct err *err) MUST_USE;
/* Back-pressure: the stream is dropped, not left unread; resumed at the last line given out. */
void capture_pause(struct capture *c, bool paused);
/* Ends the agent: its whole process group, TERM, grace, KILL; ended() follows by rc. */
void capture_kill(struct capture *c, int64_t grace_ms);
/* Ends the agent and all that it started, wherever that went: INT, so that it prints a result,
 * and after the grace (0..600000 ms) TERM, then KILL; ended() follows. One that was not started
 * yet never will be. */
void capture_cancel(struct capture *c, int64_t grace_ms);
void capture_free(struct capture *c); /* forgets; the agent goes on; NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What one line of `claude --output-format stream-json` is, and what the lines of a
 * run add up to. Measured on the CLI 2.1.197 and 2.1.329; unknown kinds pass through. Pure. */
#ifndef SANDFLEET_WORKER_STREAM_JSON_H
#define SANDFLEET_WORKER_STREAM_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "schema/event.h"

/* A result line's verdict fields; strings are empty when absent. */
struct stream_result {
    bool seen, is_error;
    char subtype[48], terminal_reason[48], api_error[48], stop_reason[32];
    int64_t api_error_status;
    int64_t num_turns, duration_ms;
};

/* Everything a run's lines told so far. Fixed size; zero it to start. */
struct stream_state {
    int64_t lines, text_lines, results, inits;
    int64_t tool_uses, tool_results, tool_errors;
    int64_t tasks; /* commands and sub-agents that are at work in the background, or were begun */
    bool tasks_listed; /* `tasks` is the program's own list; older ones only tell each start and end
                        */
    char session_id[64], model[96], version[32];
    struct stream_result last; /* the LAST result line's */
    /* Of this process alone, without the session's earlier ones: sums of
     * model_usage_since_last_result over all result lines; with older CLIs, which have no such
     * field, the last line's totals, which there are the process's own. */
    double cost_usd;
    int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
    bool usage_exact;
    /* the newest error word of an assistant line (is_api_error_message), and its status */
    char error[48];
    int64_t error_status;
    /* rate_limit_event */
    bool limit_rejected;
    int64_t limit_resets_at_s;
    char limit_type[32];
    bool no_conversation; /* --resume of an unknown id */
    bool schema_asked;    /* by the request: set it before the first line */
    bool structured;      /* a result line had a structured_output */
};

struct stream_line {      /* of one line; views into it */
    enum event_type type; /* EVENT_AGENT_… */
    bool is_json;         /* false: AGENT_TEXT */
    bool nested;          /* a sub-agent's */
    struct str tool, model;
    int64_t input_tokens, output_tokens;
    double cost_usd;
    size_t unsafe; /* \u0000 and lone surrogates */
};

/* Classifies one line (no newline) and adds it to the state. */
void stream_json_line(struct stream_state *st, struct str line, struct stream_line *out);

/* For an agent that ended without its result line: what it added to its conversation's total, as
 * the transcript tells that (model_usage_of_total) before and behind it; `before` empty: a new
 * conversation. False: nothing to be learned, nothing changed. */
bool stream_json_total(struct stream_state *st, struct str before, struct str after);

/* Appends the event's data object for this line: {"line":N,"offset":N,"native":…} or
 * {…,"text":"…"}; sanitized, shortened to EVENT_DATA_MAX_BYTES with "truncated":true and
 * "bytes":N, "masked":N, "sanitized":N where they apply; exact bytes as "base64" for
 * text that is not UTF-8. `line` is changed in place by sanitizing. */
enum err_code stream_json_data(char *line, size_t n, const struct stream_line *kind,
                               int64_t line_no, int64_t offset, int64_t true_bytes, size_t masked,
                               struct buf *out, struct err *err) MUST_USE;

/* Appends what a person reads of this line (text, tool names), for output_tail. */
void stream_json_render(struct str line, const struct stream_line *kind, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A run request: what a producer puts on runs.interactive or runs.batch.
 * The contract is run_request.schema.json; this is its only codec. Pure. */
#ifndef SANDFLEET_SCHEMA_RUN_REQUEST_H
#define SANDFLEET_SCHEMA_RUN_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json/json.h"

enum {
    RUN_REQUEST_VERSION = 1,
    RUN_REQUEST_MAX_BYTES = 512 * 1024, /* of the record's value */
    RUN_PROMPT_MAX_BYTES = 100 * 1024,
    RUN_NAME_MAX_BYTES = 128, /* tenant, session, custom_id, template, … */
    RUN_WARN_MAX = 8,
    RUN_ATTEMPTS_MAX = 20,
    RUN_TURNS_MAX = 10000,
    RUN_BUDGET_MAX_USD = 10000,
    RUN_SYSTEM_PROMPT_MAX_BYTES = 64 * 1024,
    RUN_KEY_MAX_BYTES = 320, /* idempotency_key: a batch id, a custom_id and what joins them */
    RUN_LIST_MAX = 64,       /* entries of allowed_tools, tags, env */
    RUN_FILES_MAX = 256,     /* all of them together fit into the record */
    RUN_FILE_MAX_BYTES = 256 * 1024, /* of one, decoded */
    RUN_URL_MAX_BYTES = 2048,
    RUN_GLOBS_MAX = 32,
    RUN_GLOB_MAX_BYTES = 256,
    RUN_STRIP_MAX = 9,
    RUN_DEPTH_MAX = 1000000
};
#define RUN_TIMEOUT_MAX_S (24 * 3600)
#define RUN_AHEAD_MAX_MS  (INT64_C(366) * 24 * 3600 * 1000) /* of not_before, from created_ms */

enum run_lane { LANE_INTERACTIVE, LANE_BATCH, LANES };
const char *run_lane_name(enum run_lane lane); /* "interactive" */

/* When its session has a run that runs, or one that waits and is not scheduled for later: wait
 * for its turn; end at once as session_busy; or have the running one interrupted and go next. */
enum on_busy { ON_BUSY_ENQUEUE, ON_BUSY_REJECT, ON_BUSY_INTERRUPT, ON_BUSY_POLICIES };
const char *on_busy_name(enum on_busy b); /* "enqueue" */

/* Strings are borrowed from `tree` after run_request_parse, or from the caller
 * who fills one to write it. NULL: absent. */
struct run_request {
    const char *run_id; /* UUID, canonical text */
    const char *tenant; /* default "default" */
    const char *batch_id, *custom_id, *idempotency_key;
    const char *prompt;
    const char *session_id;
    enum on_busy on_busy;
    const char *project_id, *user_id;
    const char *credential; /* default "default" */
    const char *model;
    int64_t max_turns;     /* 0: no limit */
    double max_budget_usd; /* 0: no limit */
    const char *system_prompt;
    const char *working_dir; /* relative to the sandbox's home; default "work" */
    const char *template;    /* default "claude" */
    int64_t timeout_s;       /* default 3600 */
    int64_t warn_at_s[RUN_WARN_MAX];
    size_t n_warn;        /* default 1800, 3000 */
    int64_t max_attempts; /* default 3 */
    int64_t priority;     /* 0..9, default 5; -1: absent */
    const char *fairness_key;
    const char *traceparent;
    /* Unix ms; 0: absent. created_ms is parsed as the time in a UUIDv7 run_id when absent. */
    int64_t created_ms, not_before_ms, expires_ms;
    int created_us; /* behind created_ms, 0..999: so the lines of a batch have an order */
    /* webhook is not supported yet: refused by parse, so always NULL */
    const cJSON *allowed_tools, *json_schema, *env, *tags, *webhook, *metadata;
    const cJSON *files, *archive, *repo, *artifacts; /* as checked; read by the functions below */
    cJSON *tree;                                     /* owned by run_request_parse's result */
};

#define RUN_REQUEST_INIT ((struct run_request){.priority = -1})

void run_request_defaults(struct run_request *r); /* fills what is absent, but run_id and prompt */

/* Checks every field and range; unknown fields are refused by name with the nearest
 * known one. err->msg is "<reason>: <text>" where reason is one word of
 * run_request_reason(): the dead letter's dlq.reason. */
enum err_code run_request_parse(struct str json, struct run_request *out, struct err *err) MUST_USE;

/* The same for a line that is not a record yet: `v` and `run_id` may be absent. */
enum err_code run_request_parse_draft(struct str json, struct run_request *out,
                                      struct err *err) MUST_USE;

/* For doors that tell everything that is wrong at once. `tree` is an object of JSON_STRICT, and
 * out's when this returns. The door has begun `out` with what it says itself (run_id, tenant,
 * batch_id, idempotency_key, created_ms, which must be there); the tree may say none of these.
 * bad() is called with each member that is wrong ("": all of them together), in order; e as
 * run_request_parse has it. True: never. `out` is yours, either way. */
typedef void (*run_request_bad_fn)(void *ctx, const char *member, const struct err *e);
bool run_request_read(cJSON *tree, struct run_request *out, run_request_bad_fn bad, void *ctx);

/* Whether run_request_parse_draft would certainly take this object, which json_scan found good
 * and without unsafe escapes: each member a text or a whole number, and there once. False: ask
 * the parser. *fields: the bits of the fields that were looked at. A tenth of the parser's time. */
bool run_request_is_plain(struct str json, const struct json_member *members, size_t n,
                          uint64_t *fields);
uint64_t run_request_field_bit(const char *name); /* 0: no such field */

/* Says "key_mismatch: …" unless the record's key is run_request_key(). */
enum err_code run_request_check_key(const struct run_request *r, struct str key,
                                    struct err *err) MUST_USE;

/* empty malformed unsupported_version missing_run_id invalid_run_id missing_prompt
 * empty_prompt too_large secret_in_record unknown_field invalid_field key_mismatch. */
struct str run_request_reason(const struct err *err);

/* Overwrites each token that begins with "sk-ant-" by '*', escaped spellings included;
 * the length stays, and JSON stays JSON. For what goes to the dead letters. Returns how many. */
size_t run_request_mask(char *json, size_t n);

/* The record's value; the inverse of parse. Appends to out. Checks nothing but the size
 * (ERR_TOO_BIG): run_id and prompt must be there. */
enum err_code run_request_write(const struct run_request *r, struct buf *out,
                                struct err *err) MUST_USE;

/* The record's key: session id, else run id. Borrowed from r. */
struct str run_request_key(const struct run_request *r);

/* BLAKE2b-256 of what makes the request the same work: all fields but run_id, created_at,
 * idempotency_key and traceparent, with defaults filled in; the order of members in
 * metadata and the like is of no account. */
void run_request_hash(const struct run_request *r, uint8_t out[32]);

/* The id every door hands out for (tenant, idempotency key). out: UUID_TEXT bytes. */
void run_request_derive_id(const char *tenant, const char *idempotency_key, char *out);

void run_request_release(struct run_request *r);

/* --- the working directory: what goes in before the agent starts, what comes out behind its end.
 * Of a request that parse accepted; all strings borrowed from it. --- */
struct run_file {
    const char *path;
    const char *text, *base64; /* one of the two */
    unsigned mode;             /* 0..0777 */
};
struct run_archive {    /* a tar.gz */
    const char *url;    /* http:, https: or file:, without user and password */
    const char *sha256; /* 64 small hexadecimal digits; NULL: whatever it is */
    int64_t strip;      /* leading parts of its members' paths that are left out */
};
struct run_repo {
    const char *url, *ref; /* ref NULL: what its HEAD names */
    int64_t depth;         /* of history; 0: all */
    const char *subdir;    /* of the working directory; NULL: itself */
};
void run_file_of(const cJSON *entry, struct run_file *out);                /* of r->files */
bool run_archive_of(const struct run_request *r, struct run_archive *out); /* false: none */
bool run_repo_of(const struct run_request *r, struct run_repo *out);       /* false: none */
const cJSON *run_globs_of(const struct run_request *r); /* array of strings; NULL: none */
bool run_wants_output(const struct run_request *r);     /* the agent's raw output, kept whole */

/* A token that begins with "sk-ant-", in any text, member names included. */
bool run_secret_in_tree(const cJSON *tree);
/* The prompt's own rules, for the doors: empty (or only white space), over
 * RUN_PROMPT_MAX_BYTES, not UTF-8 (offset named), NUL. */
enum err_code run_prompt_check(struct str prompt, struct err *err) MUST_USE;
/* Names (tenant, session, custom_id …): 1..RUN_NAME_MAX_BYTES of
 * [A-Za-z0-9._:@/+-], no leading '-' or '.'. */
bool run_name_ok(struct str s);
bool run_traceparent_ok(struct str s); /* W3C: "00-<32 hex>-<16 hex>-<2 hex>" */

#endif

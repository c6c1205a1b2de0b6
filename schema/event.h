/* SPDX-License-Identifier: Apache-2.0 */
/* An event record: CloudEvents 1.0, structured JSON in the value and the same
 * attributes as ce_* headers (Kafka protocol binding), so that a consumer can
 * filter without parsing the value. What counts is the value. The contract is
 * event.schema.json; this is its only codec. Pure.
 *
 * Two streams are numbered in each run:
 *   lines    what Claude printed: id {run}.{attempt}.l{line}; line from 1 in its
 *            attempt. Whoever reads the file derives the same number.
 *   control  what the fleet did: id {run}.{attempt}.c{epoch}-{n}; n from 1 in its
 *            epoch: an epoch has one owner.
 * schema/judge.h says which records count. */
#ifndef SANDFLEET_SCHEMA_EVENT_H
#define SANDFLEET_SCHEMA_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/kafka/kafka.h"
#include "common/uuid.h"

enum {
    EVENT_MAX_BYTES = 1000 * 1000, /* of the value: librdkafka's default message.max.bytes */
    EVENT_DATA_MAX_BYTES = 960 * 1000,
    EVENT_HEADERS = 24,
    EVENT_COST_MAX = 1000 * 1000 /* US dollars; above: not a cost */
};
#define EVENT_NUMBER_MAX ((int64_t)1 << 53)       /* of n and offset: exact in any JSON reader */
#define EVENT_TIME_MAX   INT64_C(253402300799999) /* the last millisecond of the year 9999 */

/* name, type on the wire, is it a line, is it a terminal.
 * A terminal is the last record of its run. */
#define EVENT_MAP(X)                                                                               \
    X(RUN_HELD, "sandfleet.run.held", false, false)                                                \
    X(RUN_RETRYING, "sandfleet.run.retrying", false, false)                                        \
    X(RUN_RESUMED, "sandfleet.run.resumed", false, false)                                          \
    X(RUN_WARNING, "sandfleet.run.warning", false, false)                                          \
    X(RUN_HEARTBEAT, "sandfleet.run.heartbeat", false, false)                                      \
    X(RUN_CANCELLING, "sandfleet.run.cancelling", false, false)                                    \
    X(RUN_COMPLETED, "sandfleet.run.completed", false, true)                                       \
    X(RUN_FAILED, "sandfleet.run.failed", false, true)                                             \
    X(RUN_TIMED_OUT, "sandfleet.run.timed_out", false, true)                                       \
    X(RUN_CANCELLED, "sandfleet.run.cancelled", false, true)                                       \
    X(RUN_EXPIRED, "sandfleet.run.expired", false, true)                                           \
    X(ATTEMPT_STARTING, "sandfleet.attempt.starting", false, false)                                \
    X(ATTEMPT_STARTED, "sandfleet.attempt.started", false, false)                                  \
    X(ATTEMPT_ENDED, "sandfleet.attempt.ended", false, false)                                      \
    X(CREDENTIAL_HELD, "sandfleet.credential.held", false, false)                                  \
    X(SANDBOX_CREATED, "sandfleet.sandbox.created", false, false)                                  \
    X(SANDBOX_PARKED, "sandfleet.sandbox.parked", false, false)                                    \
    X(SANDBOX_EVICTED, "sandfleet.sandbox.evicted", false, false)                                  \
    X(SANDBOX_ENDED, "sandfleet.sandbox.ended", false, false)                                      \
    X(SANDBOX_LOST, "sandfleet.sandbox.lost", false, false)                                        \
    X(ARTIFACT_STORED, "sandfleet.artifact.stored", false, false)                                  \
    X(AGENT_INIT, "sandfleet.agent.init", true, false)                                             \
    X(AGENT_MESSAGE, "sandfleet.agent.message", true, false)                                       \
    X(AGENT_TOOL_USE, "sandfleet.agent.tool_use", true, false)                                     \
    X(AGENT_TOOL_RESULT, "sandfleet.agent.tool_result", true, false)                               \
    X(AGENT_DELTA, "sandfleet.agent.delta", true, false)                                           \
    X(AGENT_RESULT, "sandfleet.agent.result", true, false)                                         \
    X(AGENT_RATE_LIMIT, "sandfleet.agent.rate_limit", true, false)                                 \
    X(AGENT_SYSTEM, "sandfleet.agent.system", true, false)                                         \
    X(AGENT_PROGRESS, "sandfleet.agent.progress", true, false)                                     \
    X(AGENT_OTHER, "sandfleet.agent.other", true, false)                                           \
    X(AGENT_TEXT, "sandfleet.agent.text", true, false)                                             \
    X(AGENT_STDERR, "sandfleet.agent.stderr", false, false)

#define EVENT_ENUM(name, type, line, terminal) EVENT_##name,
enum event_type { EVENT_MAP(EVENT_ENUM) EVENT_TYPES };
#undef EVENT_ENUM

const char *event_type_name(enum event_type t); /* "sandfleet.run.held" */
bool event_type_parse(struct str s, enum event_type *out);
bool event_is_line(enum event_type t);
bool event_is_terminal(enum event_type t);

/* What all events of a run share. Borrowed. */
struct event_run {
    const char *tenant, *run_id;
    const char *batch_id, *custom_id, *traceparent; /* NULL: absent */
    int64_t created_ms; /* the request's; its UTC day is the run's partition */
};

struct event {
    enum event_type type;
    int64_t attempt; /* from 1; 0: before the first */
    int64_t epoch;   /* from 1 */
    int64_t n;       /* line number, or number in the epoch; from 1 */
    int64_t offset;  /* lines: the byte offset behind this line in out.ndjson */
    int64_t time_ms; /* when it was seen */
    struct str data; /* JSON object, verbatim the value's last member */
    /* columns of their own for filters; empty or 0: absent */
    struct str tool, model;
    int64_t input_tokens, output_tokens;
    double cost_usd;
};

/* A record ready for producer_send: the headers are views into `value`. Reuse it. */
struct event_record {
    struct buf value;
    struct kafka_header headers[EVENT_HEADERS];
    size_t n_headers;
};

void event_record_init(struct event_record *r);
void event_record_release(struct event_record *r);

/* ERR_TOO_BIG when the data is over EVENT_DATA_MAX_BYTES: shorten it first. ERR_INVALID:
 * a name, number or day that the contract does not allow. A tool or model that is not
 * 1..128 printable bytes gets no column of its own; data still has it. No allocation
 * once out's buffers have grown. */
enum err_code event_write(const struct event_run *run, const struct event *e,
                          struct event_record *out, struct err *err) MUST_USE;

/* An event read back from its record's value; views into it. */
struct event_view {
    struct event event;
    struct str id, type_text, tenant, run_id, batch_id, custom_id;
    int64_t created_day_ms; /* 00:00 UTC of the run's creation day */
    /* false: a newer program's type, told by type_text. event.type stands in, so that the
     * judge can number it: AGENT_OTHER for a line, AGENT_STDERR for a control record. */
    bool known_type;
};

/* ERR_INVALID "<reason>: …" (malformed, missing_attribute, bad_attribute,
 * unsupported_version): the reason of the sink's dead letter. Attributes are plain text, as
 * event_write leaves them: in any order, before the data, which is the last member; whether
 * that is JSON is not looked at. */
enum err_code event_read(struct str key, struct str value, struct event_view *out,
                         struct err *err) MUST_USE;

/* The reason word of event_read's error, "malformed" when there is none. */
struct str event_reason(const struct err *err);

#endif

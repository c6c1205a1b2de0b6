/* SPDX-License-Identifier: Apache-2.0 */
/* Private to event_*.c: the attributes of an event record, in the order in which they
 * are written, once as a JSON member and once as header ce_<name>, which nobody reads here. */
#ifndef SANDFLEET_SCHEMA_EVENT_ATTR_H
#define SANDFLEET_SCHEMA_EVENT_ATTR_H

#include "schema/event.h"

#define EVENT_SPECVERSION  "1.0"
#define EVENT_CONTENT_TYPE "application/cloudevents+json; charset=UTF-8"
#define EVENT_DATA_KEY     ",\"data\":"

/* name, on the wire, opening quote in JSON or none, must a reader find it.
 * CloudEvents integers have 32 bits: what may pass them, and fractions, are strings. */
// clang-format off
#define EVENT_ATTR_MAP(X)                          \
    X(SPECVERSION,  "specversion",   "\"", true)   \
    X(ID,           "id",            "\"", true)   \
    X(SOURCE,       "source",        "\"", true)   \
    X(TYPE,         "type",          "\"", true)   \
    X(TIME,         "time",          "\"", true)   \
    X(RECORDEDTIME, "recordedtime",  "\"", false)  \
    X(TENANT,       "tenant",        "\"", true)   \
    X(RUNID,        "runid",         "\"", true)   \
    X(RUNDAY,       "runday",        "\"", true)   \
    X(BATCHID,      "batchid",       "\"", false)  \
    X(CUSTOMID,     "customid",      "\"", false)  \
    X(ATTEMPT,      "attempt",       "",   true)   \
    X(EPOCH,        "epoch",         "",   true)   \
    X(SEQUENCE,     "sequence",      "\"", true)   \
    X(LOGOFFSET,    "logoffset",     "\"", false)  \
    X(TOOL,         "tool",          "\"", false)  \
    X(MODEL,        "model",         "\"", false)  \
    X(INPUTTOKENS,  "inputtokens",   "",   false)  \
    X(OUTPUTTOKENS, "outputtokens",  "",   false)  \
    X(COSTUSD,      "costusd",       "\"", false)  \
    X(TRACEPARENT,  "traceparent",   "\"", false)
// clang-format on

#define EVENT_ATTR_ENUM(name, wire, quote, required) ATTR_##name,
enum event_attr { EVENT_ATTR_MAP(EVENT_ATTR_ENUM) EVENT_ATTRS };
#undef EVENT_ATTR_ENUM

extern const struct event_attr_row {
    struct str name;
    struct str key;     /* what stands before the value in JSON: ,"name":" */
    const char *header; /* "ce_name" */
    bool quoted, required;
} event_attrs[EVENT_ATTRS];

/* What stands in a record's value, each at most once: views into it. */
struct event_envelope {
    struct str attr[EVENT_ATTRS]; /* p NULL: absent */
    struct str data;              /* begins and ends with a brace; not looked at */
};

/* Finds the attributes that we know; what is missing or no plain text is an error. */
enum err_code event_envelope_read(struct str value, struct event_envelope *out,
                                  struct err *err) MUST_USE;

/* "bad_attribute: <name> <what>". */
enum err_code event_bad_attribute(struct err *err, struct str name, const char *what);

/* Bytes of everything but data, at most: 21 names of at most 16 bytes with quotes, and
 * values bounded by RUN_NAME_MAX_BYTES (tenant twice), a UUID (three times) and numbers. */
enum { EVENT_ENVELOPE_MAX = 2560 };

#endif

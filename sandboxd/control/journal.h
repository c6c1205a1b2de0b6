/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, kept in bounded memory: a journal per sandbox, and the life
 * cycle of all sandboxes. Neither ever holds an argument, a value of the
 * environment, a payload or output. Single-threaded. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_JOURNAL_H
#define SANDFLEET_SANDBOXD_CONTROL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum {
    JOURNAL_KEPT = 256, /* entries of one sandbox */
    JOURNAL_ENTRY_MAX = 1024,
    LIFECYCLE_KEPT = 8192,
    JOURNAL_PAGE_MAX = 1000,
    JOURNAL_SEARCH_MAX = 256
};

enum journal_level { JOURNAL_DEBUG, JOURNAL_INFO, JOURNAL_WARN, JOURNAL_ERROR };
bool journal_level_parse(struct str s, enum journal_level *out);

struct journal_entry {
    int64_t at_ms; /* wall time */
    enum journal_level level;
    char *message, *fields; /* fields: a JSON object of strings */
};

struct journal {                   /* zeroed: empty */
    struct journal_entry *entries; /* a ring of JOURNAL_KEPT, made with the first entry */
    size_t first, n;
};

/* pairs: name, value, …, NULL; a pair whose value is NULL is left out. Without memory, or when
 * an entry is too long, nothing is added. */
void journal_add(struct journal *j, enum journal_level level, const char *message,
                 const char *const pairs[]);
void journal_release(struct journal *j);

struct journal_query {
    int64_t cursor_ms; /* -1: none */
    size_t limit;
    bool backward; /* newest first */
    enum journal_level least;
    struct str search; /* in the message; empty: all */
};
/* The entries that match, comma-separated: as {timestamp,level,message,fields}, or, `lines`,
 * as the older {timestamp,line}. */
void journal_put(const struct journal *j, const struct journal_query *q, bool lines,
                 struct buf *out);

/* --- life cycles ------------------------------------------------------------------- */

#define LIFECYCLE_MAP(X)                                                                           \
    X(CREATED, "created")                                                                          \
    X(UPDATED, "updated")                                                                          \
    X(PAUSED, "paused")                                                                            \
    X(RESUMED, "resumed")                                                                          \
    X(CHECKPOINTED, "checkpointed")                                                                \
    X(KILLED, "killed")

#define LIFECYCLE_ENUM(name, word) LIFECYCLE_##name,
enum lifecycle { LIFECYCLE_MAP(LIFECYCLE_ENUM) LIFECYCLES };
#undef LIFECYCLE_ENUM

const char *lifecycle_text(enum lifecycle l); /* "created" */

struct lifecycle_log;
struct lifecycle_log *lifecycle_new(void); /* NULL: no memory */
void lifecycle_free(struct lifecycle_log *l);
void lifecycle_add(struct lifecycle_log *l, enum lifecycle what, const char *sandbox,
                   const char *template, const char *reason); /* reason: NULL: none */

struct lifecycle_query {
    struct str sandbox; /* empty: all */
    struct str types;   /* "created,killed" with or without what stands before; empty: all */
    size_t offset, limit;
    bool ascending;
};
void lifecycle_put(const struct lifecycle_log *l, const struct lifecycle_query *q,
                   struct buf *out); /* comma-separated */

#endif

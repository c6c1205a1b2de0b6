/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon's answers hold: processes, entries of the file system, changes in a folder.
 * Defaults are left out by the other side. Pure. */
#ifndef SANDFLEET_WORKER_E2B_ENVD_ANSWER_H
#define SANDFLEET_WORKER_E2B_ENVD_ANSWER_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum { ENVD_LIST_MAX = 10000 }; /* things in one answer; more is ERR_TOO_BIG */

struct envd_process { /* borrowed from its list */
    int64_t pid;
    const char *cmd, *cwd; /* "" when not told */
    const char *tag;       /* NULL: none */
};
struct envd_processes {
    struct envd_process *all;
    size_t n;
    struct cJSON *tree;
};
/* Of List. ERR_PROTOCOL, ERR_TOO_BIG, ERR_NOMEM: *out is empty. */
enum err_code envd_processes_parse(struct str body, struct envd_processes *out,
                                   struct err *err) MUST_USE;
void envd_processes_release(struct envd_processes *p);

enum envd_type { ENVD_OTHER, ENVD_FILE, ENVD_DIRECTORY, ENVD_SYMLINK };

struct envd_entry { /* borrowed from its list */
    enum envd_type type;
    const char *name, *path, *owner, *group; /* "" when not told */
    const char *target;                      /* of a symlink; NULL: none */
    int64_t size, mode, modified_ms;         /* modified_ms 0: not told */
};
struct envd_entries {
    struct envd_entry *all;
    size_t n;
    struct cJSON *tree;
};
/* Of ListDir: all of them; of Stat, MakeDir and Move: the one. Errors as above. */
enum err_code envd_entries_parse(struct str body, struct envd_entries *out,
                                 struct err *err) MUST_USE;
void envd_entries_release(struct envd_entries *e);

enum { WATCH_NAME_MAX_BYTES = 4096 };
enum watch_kind { WATCH_OTHER, WATCH_STARTED, WATCH_KEEPALIVE, WATCH_CHANGED };
struct watch_event {
    enum watch_kind kind;
    char change; /* as in envd_watch_events; '?': one we do not know */
    char name[WATCH_NAME_MAX_BYTES];
};
/* A data frame of WatchDir. ERR_PROTOCOL when it is no JSON object. */
enum err_code watch_event_parse(struct str message, struct watch_event *out,
                                struct err *err) MUST_USE;

#endif

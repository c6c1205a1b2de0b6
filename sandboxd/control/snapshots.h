/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of sandboxes' homes, kept on disk beside the templates and usable like
 * one, and what is known about templates. Processes and memory are not in it.
 *   snapshots/<id>/home           the copy, the sandboxes' user's
 *   snapshots/<id>/snapshot.json  written last: without it the copy is not whole
 *   templates/<name>/             a folder each, made by whoever runs the server:
 *     bin/                        on the sandboxes' PATH
 *     start                       run in a new sandbox; it is ready when that ends with 0
 *     template.json               {"start_timeout_s":20} */
#ifndef SANDFLEET_SANDBOXD_CONTROL_SNAPSHOTS_H
#define SANDFLEET_SANDBOXD_CONTROL_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "common/err.h"
#include "sandboxd/control/new_sandbox.h"
#include "sandboxd/sandbox/sandbox.h"

enum {
    SNAPSHOTS_MAX = 1000,
    SNAPSHOT_ID_ROOM = 24,
    SNAPSHOT_PATH_ROOM = 2048,
    COPY_DEADLINE_MS = 60000,
    COPY_ENTRIES_MAX = 1000000,
    START_TIMEOUT_S = 20,
    START_TIMEOUT_MAX_S = 60
};
#define COPY_BYTES_MAX ((int64_t)64 << 30)

struct snapshot {
    TAILQ_ENTRY(snapshot) link;
    char id[SNAPSHOT_ID_ROOM];
    char sandbox[SANDBOX_ID_ROOM];
    char template[TEMPLATE_NAME_ROOM]; /* whose folder its sandboxes get */
    char name[TEMPLATE_NAME_ROOM];     /* "": none */
    int64_t made_ms;                   /* wall time */
};

struct snapshots { /* newest first */
    const char *data;
    size_t n;
    TAILQ_HEAD(, snapshot) all;
};

/* Reads them, and removes halves; may block: for the start. ERR_IO. */
enum err_code snapshots_load(struct snapshots *s, const char *data, struct err *err) MUST_USE;
void snapshots_release(struct snapshots *s);
struct snapshot *snapshots_find(const struct snapshots *s, const char *id_or_name); /* NULL: none */

/* A new one and its empty folder; not yet among the others. Yours. ERR_CAPACITY, ERR_IO. */
enum err_code snapshot_begin(const struct snapshots *s, const struct identity *id,
                             struct snapshot **out, struct err *err) MUST_USE;
/* Its copy is whole: writes that down and takes it among the others. */
enum err_code snapshot_finish(struct snapshots *s, struct snapshot *one, struct err *err) MUST_USE;
/* Forgets it, frees it, and removes its folder in the background. */
void snapshot_remove(struct snapshots *s, struct fleet *f, struct snapshot *one);
void snapshot_home(const struct snapshots *s, const struct snapshot *one,
                   char out[SNAPSHOT_PATH_ROOM]);

/* --- templates ------------------------------------------------------------------------ */

struct template
{
    char id[TEMPLATE_NAME_ROOM];     /* as clients see it */
    char folder[TEMPLATE_NAME_ROOM]; /* below templates/ */
    char home[SNAPSHOT_PATH_ROOM];   /* what a new home is a copy of; "": nothing */
    bool starts;                     /* there is something to run at its start */
    int64_t start_timeout_ms;
};
/* ERR_NOT_FOUND in the service's own words. */
enum err_code template_find(const struct snapshots *s, const struct template_ref *ref,
                            struct template *out, struct err *err) MUST_USE;
/* Calls fn with each folder below templates/, in no order. */
void template_each(const struct snapshots *s, void (*fn)(void *ctx, const char *name), void *ctx);

#endif

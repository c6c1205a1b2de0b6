/* SPDX-License-Identifier: Apache-2.0 */
/* Private to run_request_*.c: one row per field of a run request. Parsing, writing,
 * hashing and the messages about unknown fields all come from these rows. */
#ifndef SANDFLEET_SCHEMA_RUN_REQUEST_FIELDS_H
#define SANDFLEET_SCHEMA_RUN_REQUEST_FIELDS_H

#include "schema/run_request.h"

enum field_kind {
    FIELD_VERSION,    /* the number RUN_REQUEST_VERSION; nothing in the struct */
    FIELD_TEXT,       /* const char *; least..most bytes */
    FIELD_PROMPT,     /* const char *; run_prompt_check() */
    FIELD_INT,        /* int64_t; least..most, absent below */
    FIELD_MONEY,      /* double; above least, up to most; absent at 0 */
    FIELD_TIME,       /* int64_t Unix ms as RFC 3339; absent at 0 */
    FIELD_SESSION,    /* {"id", "on_busy"} */
    FIELD_WARN,       /* warn_at_s and n_warn; each least..most, rising */
    FIELD_TEXTS,      /* const cJSON *: array of texts; least..most entries */
    FIELD_ENV,        /* const cJSON *: object of NAME: text; least..most entries */
    FIELD_OBJECT,     /* const cJSON *: any object */
    FIELD_FILES,      /* const cJSON *: run_request_work.c, as the three behind it */
    FIELD_ARCHIVE,    /* const cJSON * */
    FIELD_REPO,       /* const cJSON * */
    FIELD_ARTIFACTS,  /* const cJSON * */
    FIELD_UNSUPPORTED /* known, and refused rather than ignored */
};

enum { FIELD_NOT_WORK = 1 << 0 }; /* does not tell one piece of work from another: not hashed */

struct field {
    const char *name;
    enum field_kind kind;
    size_t at; /* offsetof() in struct run_request */
    int64_t least, most;
    bool (*ok)(struct str s); /* of a text, beyond its length; NULL: any */
    const char *rule;         /* what ok() wants, for people */
    unsigned flags;
};

extern const struct field run_fields[];
extern const size_t run_n_fields;

const struct field *run_field_find(const char *name);    /* NULL: unknown */
const struct field *run_field_nearest(const char *name); /* NULL: none is near */

/* The bytes where a field of this request lives. */
static inline const void *run_field_at(const struct run_request *r, const struct field *f)
{
    return (const char *)r + f->at;
}

/* Reads one member into r. */
enum err_code run_field_read(const struct field *f, const cJSON *item, struct run_request *r,
                             struct err *err) MUST_USE;

/* "invalid_field: '<name>' <text>". */
enum err_code run_field_refuse(const struct field *f, struct err *err, const char *fmt, ...)
    PRINTF(3, 4);

/* "unknown_field: …", with the nearest name. */
enum err_code run_field_refuse_unknown(const char *name, struct err *err);

/* What is not one member's alone. */
enum err_code run_request_check_prompt(const struct run_request *r, struct err *err) MUST_USE;
enum err_code run_request_check_times(struct run_request *r, struct err *err) MUST_USE;
enum err_code run_request_refuse_secret(struct err *err);

/* run_request_work.c: what goes into the working directory, and what comes out of it. */
enum err_code run_files_read(const struct field *f, const cJSON *item, struct run_request *r,
                             struct err *err) MUST_USE;
enum err_code run_archive_read(const struct field *f, const cJSON *item, struct run_request *r,
                               struct err *err) MUST_USE;
enum err_code run_repo_read(const struct field *f, const cJSON *item, struct run_request *r,
                            struct err *err) MUST_USE;
enum err_code run_artifacts_read(const struct field *f, const cJSON *item, struct run_request *r,
                                 struct err *err) MUST_USE;

bool run_secret_in_text(struct str s); /* as it stands, escaped spellings not seen */

#endif

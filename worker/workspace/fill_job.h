/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a filling puts into the attempt's folder. Pure. */
#ifndef SANDFLEET_WORKER_FILL_JOB_H
#define SANDFLEET_WORKER_FILL_JOB_H

#include "schema/run_request.h"

struct fill_names {       /* in the attempt's folder; each owner has its own */
    const char *archive;  /* NULL: the request has none */
    const char *files;    /* likewise */
    bool local_protocols; /* file: repositories may be cloned */
    int64_t limit_s;      /* of each step of git's */
};

/* The script and what it is to do. */
void fill_job_write(const struct run_request *r, const struct fill_names *names, struct buf *out);

/* The request's files as a tar. ERR_INVALID: they do not fit together, by name. */
enum err_code fill_job_files(const struct run_request *r, struct buf *tar,
                             struct err *err) MUST_USE;

#endif

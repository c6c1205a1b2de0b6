/* SPDX-License-Identifier: Apache-2.0 */
/* This process as the system sees it. */
#ifndef SANDFLEET_COMMON_PROCESS_H
#define SANDFLEET_COMMON_PROCESS_H

#include <stdint.h>

#include "common/err.h"

struct process_figures { /* 0: the system does not tell */
    double cpu_s;        /* user and system */
    int64_t resident_bytes;
    int64_t files, files_max; /* descriptors: open, and how many may be */
};
void process_look(struct process_figures *out);

/* Raises the limit of open files to `need`, as far as the hard one. ERR_CONFIG says which limit
 * is too low, and by what it is raised. */
enum err_code process_need_files(int64_t need, struct err *err) MUST_USE;

#endif

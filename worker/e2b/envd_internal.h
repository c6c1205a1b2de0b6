/* SPDX-License-Identifier: Apache-2.0 */
/* The address of a daemon, shared by envd.c (calls) and envd_stream.c. */
#ifndef SANDFLEET_WORKER_E2B_ENVD_INTERNAL_H
#define SANDFLEET_WORKER_E2B_ENVD_INTERNAL_H

#include "worker/e2b/envd.h"

enum { ENVD_HEADERS = 4, ENVD_HEADER_MAX_BYTES = 1024 };

struct envd {
    struct http *http;
    char *url;
    char *headers[ENVD_HEADERS]; /* that every request carries */
    size_t n_headers;
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for something to end, by the API's long polls (?wait=), through restarts of the server.
 * Blocks. */
#ifndef SANDFLEET_PRODUCER_API_API_WAIT_H
#define SANDFLEET_PRODUCER_API_API_WAIT_H

#include "producer/api/api_client.h"

struct api_wait {
    const char *path;
    bool (*over)(const cJSON *doc); /* it has ended */
    int64_t wait_ms;                /* 0: as long as it takes */
    bool maybe_young; /* NOT_FOUND counts after API_UNKNOWN_MS only: the sink may lag */
    bool quiet;       /* says nothing when the API is away for a while */
};

#define API_UNKNOWN_TEXT "waiting, 5 s at most: the API does not know it yet"
enum { API_AWAY_MS = 120 * 1000, API_UNKNOWN_MS = 5 * 1000 };
/* *doc is the last answer, yours. ERR_TIMEOUT: the wait was over first, and *doc is there; with
 * *doc NULL, the API did not answer for API_AWAY_MS. */
enum err_code api_wait(struct api_client *a, const struct api_wait *w, cJSON **doc,
                       struct err *err) MUST_USE;

/* From here on Ctrl-C and SIGTERM end what waits, as ERR_CANCELLED, and not the process. */
enum err_code api_wait_heed_stop(struct api_client *a, struct err *err) MUST_USE;
/* Tells that, and how to come back ("sandfleet runs wait"; of: its object); the exit status. */
int api_wait_detached(const char *what, const char *command, const char *of);

#endif

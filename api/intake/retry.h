/* SPDX-License-Identifier: Apache-2.0 */
/* A request that was made, to be made again. Pure. */
#ifndef SANDFLEET_API_RETRY_H
#define SANDFLEET_API_RETRY_H

#include <stdbool.h>

#include <cjson/cJSON.h>

/* From a record's value to what body_run_read() takes: without what the door says itself, and
 * without times, which have passed; metadata.retry_of is the run. False: no memory. */
bool retry_request(cJSON *tree, const char *run_id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The sets of options that several commands share. A command's own settings: a struct that begins
 * with a struct client, its rows with offsetof() in it, and its size in the command's row. */
#ifndef SANDFLEET_PRODUCER_OPTIONS_H
#define SANDFLEET_PRODUCER_OPTIONS_H

#include "producer/command.h"

extern const struct option_set options_general, /* --help --log-level; every command has them */
    options_answer,                             /* --output --quiet */
    options_kafka,                              /* --brokers --prefix -X */
    options_database,                           /* --database */
    options_api,                                /* --api-url --api-key-file --api-ca-file */
    options_tenant,                             /* --tenant, of what is read through the API */
    options_request,                            /* what a run may be given */
    options_one,                                /* names of a single run */
    options_wait;                               /* --wait, of following */

#endif

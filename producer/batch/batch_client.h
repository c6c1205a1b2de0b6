/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet batch submit|validate`, and `sandfleet submit --file`. */
#ifndef SANDFLEET_PRODUCER_BATCH_BATCH_CLIENT_H
#define SANDFLEET_PRODUCER_BATCH_BATCH_CLIENT_H

#include "producer/client.h"
#include "producer/command.h"

struct batch_client {
    struct client client; /* first: command.h */
    char *prompt_template, *data, *format;
};

extern const struct option_set options_batch_file, options_batch_submit;

int command_batch_submit(struct client *c, int n, char **words);
int command_batch_validate(struct client *c, int n, char **words);

enum err_code client_lane(const struct client *c, enum run_lane otherwise, enum run_lane *out,
                          struct err *err) MUST_USE;

#endif

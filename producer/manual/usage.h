/* SPDX-License-Identifier: Apache-2.0 */
/* What the client says about itself on a terminal. */
#ifndef SANDFLEET_PRODUCER_MANUAL_USAGE_H
#define SANDFLEET_PRODUCER_MANUAL_USAGE_H

#include <stdio.h>

#include "producer/command.h"

void usage_all(FILE *to);                                      /* every command, and how it ends */
void usage_group(const struct command_group *group, FILE *to); /* a noun's commands */
void usage_command(const struct command *c, FILE *to);         /* one, with its options */

#endif

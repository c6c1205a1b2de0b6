/* SPDX-License-Identifier: Apache-2.0 */
/* The manual, from the tables by which the program works: commands, options, exit statuses. */
#ifndef SANDFLEET_PRODUCER_MANUAL_MANUAL_H
#define SANDFLEET_PRODUCER_MANUAL_MANUAL_H

#include "producer/command.h"
#include "producer/manual/page.h"

/* sandfleet(1): what there is, configuration, environment, files, exit statuses. */
void manual_main(const struct page_form *form, const char *date, struct buf *out);

/* sandfleet-GROUP(1): its commands with their options. */
void manual_group(const struct page_form *form, const struct command_group *group, const char *date,
                  struct buf *out);

/* All of it as one Markdown text: docs/cli.md. */
void manual_reference(struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who gives a command that changes something in the database: said on each connection that it
 * opens, so that the change and its row in door.audit are one transaction. Single-threaded. */
#ifndef SANDFLEET_PRODUCER_AUDIT_H
#define SANDFLEET_PRODUCER_AUDIT_H

#include "producer/command.h"

/* Before the command runs; nothing for one that changes nothing. Of the words only what names a
 * thing: no prompt. Without memory nothing is said. */
void audit_command(const struct command *c, int n, char **words);
void audit_done(void); /* behind it */

/* For what no trigger sees, behind it: the same row. */
enum err_code audit_tell(const char *conninfo, struct err *err) MUST_USE;

#endif

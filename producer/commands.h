/* SPDX-License-Identifier: Apache-2.0 */
/* What a file with a noun's rows (commands_NOUN.c) needs, and the lists that they give. A new
 * noun: a file with rows, a line here, and one in commands.c. */
#ifndef SANDFLEET_PRODUCER_COMMANDS_H
#define SANDFLEET_PRODUCER_COMMANDS_H

#include "producer/command.h"
#include "producer/options.h"

#define COMMAND_LIST(rows) {(rows), COUNTOF(rows)}

extern const struct command_list commands_config, commands_batch_file, commands_batch_read,
    commands_sessions, commands_sandbox, commands_dlq, commands_fleet;
extern const struct command_list commands_doctor;
extern const struct command_list commands_keys, commands_audit;
extern const struct command_list commands_limits;
extern const struct command_list commands_run;
extern const struct command_list commands_runs;
extern const struct command_list commands_setup;
extern const struct command_list commands_cred;
extern const struct command_list commands_webhook;

#endif

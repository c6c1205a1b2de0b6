/* SPDX-License-Identifier: Apache-2.0 */
/* The nouns, in the order in which usage and manual tell them. */
#include "producer/commands.h"

#include "common/banned.h"

const struct command_group command_groups[] = {
    {"run", "Submitting", {&commands_run}},
    {"runs", "What was submitted", {&commands_runs}},
    {"batch", "Batches", {&commands_batch_file, &commands_batch_read}},
    {"sessions", "Conversations", {&commands_sessions}},
    {"sandbox", "Their sandboxes", {&commands_sandbox}},
    {"workers", "The fleet", {&commands_fleet}},
    {"dlq", "What was refused", {&commands_dlq}},
    {"limits", "What may run at once", {&commands_limits}},
    {"keys", "Who may come in by the HTTP door", {&commands_keys}},
    {"audit", "Who did what", {&commands_audit}},
    {"cred", "Credentials of the agents", {&commands_cred}},
    {"webhook", "Who is told that runs ended", {&commands_webhook}},
    {"setup", "The installation", {&commands_doctor, &commands_setup}},
    {"config", "This client", {&commands_config}},
};

const size_t command_groups_n = COUNTOF(command_groups);

/* SPDX-License-Identifier: Apache-2.0 */
/* What sandbox.c (its life) and sandbox_ask.c (asking its init) share. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H
#define SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H

#include "sandboxd/sandbox/sandbox.h"

/* An INIT_DONE came; takes fd. */
void sandbox_answered(struct sandbox *sb, uint32_t ticket, int errnum, int fd);
/* Answers whoever still waits. */
void sandbox_answer_all(struct sandbox *sb, int errnum);

/* A report about the command of sandbox_run()? Then it is taken. */
bool command_report(struct sandbox *sb, const struct init_report *r);
void command_forget(struct sandbox *sb);

/* Whether a process that was reaped is one of f->children, which then knows. */
bool child_exited(struct fleet *f, pid_t pid, int wait_status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What sandbox.c (its life) and sandbox_ask.c (asking its init) share. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H
#define SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H

#include "sandboxd/sandbox/sandbox.h"

/* Puts it among the others, and takes it out. */
void fleet_add(struct sandbox *sb);
void fleet_drop(struct sandbox *sb);
/* What a dead init left to us. */
void fleet_kill_strangers(struct fleet *f);
void sandbox_reaped(struct sandbox *sb); /* its init_pid was; may free it */

/* The folder is the server's, what the sandbox writes to its user's. Sets the paths. */
enum err_code folders_make(struct sandbox *sb, struct err *err) MUST_USE;
/* After init has emptied what the sandbox wrote to. False: there is more. */
bool folders_remove(const struct sandbox *sb);

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

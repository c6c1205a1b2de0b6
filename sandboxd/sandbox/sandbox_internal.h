/* SPDX-License-Identifier: Apache-2.0 */
/* What sandbox.c (its life) and sandbox_ask.c (asking its init) share. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H
#define SANDFLEET_SANDBOXD_SANDBOX_SANDBOX_INTERNAL_H

#include "sandboxd/sandbox/sandbox.h"

/* An INIT_DONE came; takes fd. */
void sandbox_answered(struct sandbox *sb, uint32_t ticket, int errnum, int fd);
/* Answers whoever still waits. */
void sandbox_answer_all(struct sandbox *sb, int errnum);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A command in a sandbox and the streams that follow it. Its output goes to whom
 * it concerns at that moment and is never kept: with nobody attached it is read
 * and thrown away; with a reader who stopped reading it stays in the pipe. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sandboxd/sandbox/sandbox.h"
#include "sandboxd/envd/process_input.h"
#include "sandboxd/envd/process_message.h"
#include "sandboxd/envd/subscriber.h"

enum {
    PROCESS_READ_BYTES = 32 << 10,     /* one envelope holds at most so much output, */
    PROCESS_TERMINAL_BYTES = 16 << 10, /* and of a terminal */
    PROCESS_CACHE_MS = 30000,          /* an ended process can still be connected to */
    PROCESS_KEEPALIVE_MS = 90000,
    PROCESS_ARG_MAX = 128 << 10, /* of one string: the kernel's own limit */
    PROCESS_SPEC_MAX = 2 << 20
};

struct process;

struct process_spec {    /* borrowed */
    const cJSON *config; /* {cmd,args,envs,cwd} as it came, checked; NULL: none came */
    const char *tag;     /* NULL: none */
    const char *cwd;     /* absolute */
    bool want_stdin;
    const struct terminal *terminal; /* NULL: pipes */
};

/* Answers r with the stream of a new process. Failures show on the stream. */
void process_start(struct sandbox *sb, const struct process_spec *spec, struct request *r,
                   const struct follow *how);
/* Follows a process from now on: a start event, then what comes. */
void process_connect(struct process *p, struct request *r, const struct follow *how);

/* One that has not ended, or that ended within the cache time. NULL: none. */
struct process *process_find(struct sandbox *sb, const struct selector *who);
/* It runs, or somebody still holds its output open. */
bool process_alive(const struct process *p);
int process_pid(const struct process *p); /* 0: not known yet */
/* Its stdin, or its terminal when it has one. */
struct input_queue *process_input(struct process *p);
bool process_on_terminal(const struct process *p);
enum err_code process_resize(struct process *p, const struct terminal *size,
                             struct err *err) MUST_USE;
/* It has exited, or is about to: SIGKILL was sent. No signal reaches it any more. */
bool process_doomed(const struct process *p);
enum err_code process_signal(struct process *p, int signum, struct err *err) MUST_USE;
/* {"config":…,"pid":…,"tag":…} of each live one, comma-separated. */
void process_list(struct sandbox *sb, struct buf *out);

/* What init reports; takes fd, the master of a terminal with INIT_STARTED, else -1. */
void process_report(struct sandbox *sb, const struct init_report *r, int fd);
/* The sandbox ends: cuts their streams and forgets all of them. */
void process_forget_all(struct sandbox *sb);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What process.c (a process's life) and process_launch.c (its start) share. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_INTERNAL_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_INTERNAL_H

#include "sandboxd/envd/process.h"

struct pipe_end { /* our end of stdout, stderr or a terminal */
    struct process *p;
    const char *name;
    int fd; /* -1: it has ended */
    struct watch *watch;
};

struct process {
    struct sandbox *sb;
    LIST_ENTRY(process) link;
    uint32_t ticket;
    int pid; /* 0: init did not report it yet */
    char *tag;
    cJSON *config;
    struct pipe_end out, err; /* a terminal is out alone */
    struct input_queue in;
    bool terminal, exited, killed, ended;
    int status; /* as waitpid() */
    struct subscribers readers;
    struct timer *cache;
};

void process_on_output(void *ctx, int events); /* ctx: a pipe_end */

enum err_code pipe_watch(struct process *p, struct pipe_end *e, const char *name, int fd,
                         struct err *err) MUST_USE; /* takes fd, non-blocking */

/* Makes the pipes and asks init for the command; INIT_STARTED or INIT_FAILED follows. */
enum err_code process_launch(struct process *p, const struct process_spec *spec,
                             struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What process.c (a process's life) and process_launch.c (its start) share. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_INTERNAL_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_INTERNAL_H

#include "sandboxd/envd/process.h"
#include "sandboxd/envd/process_pump.h"

struct pipe_end { /* our end of stdout, stderr or a terminal */
    struct process *p;
    const char *name;
    struct pump_end end; /* fd -1: it has ended */
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

/* Our end of a new pipe or terminal; takes fd, non-blocking. */
void pipe_take(struct process *p, struct pipe_end *e, const char *name, int fd);

/* Makes the pipes and asks init for the command; INIT_STARTED or INIT_FAILED follows. */
enum err_code process_launch(struct process *p, const struct process_spec *spec,
                             struct err *err) MUST_USE;

#endif

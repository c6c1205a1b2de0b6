/* SPDX-License-Identifier: Apache-2.0 */
/* What process.c (a process's life), process_launch.c (its start) and process_output.c (what it
 * writes) share. */
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
    bool overdue; /* its deadline passed before init reported it */
    int status;   /* as waitpid() */
    struct subscribers readers;
    struct timer *cache;
};

/* Our end of a new pipe; takes fd, non-blocking. */
void pipe_take(struct process *p, struct pipe_end *e, const char *name, int fd);
void pipe_close(struct pipe_end *e);
/* Of a terminal one descriptor is read, another one written. Takes fd. */
bool process_take_terminal(struct process *p, int fd);

void process_watch_output(struct process *p); /* reads on, unless a follower is full */
/* Killed, while a follower that stopped reading holds its output up: the rest of that is given
 * up, so that everybody sees the end. */
void process_give_up_output(struct process *p);
/* What an exited process left is read without waiting for a round; so its end is seen at once. */
void process_drain(struct process *p);
/* The end is: it exited, and nobody holds its output open any more. */
void process_maybe_end(struct process *p);

/* Makes the pipes and asks init for the command; INIT_STARTED or INIT_FAILED follows. */
enum err_code process_launch(struct process *p, const struct process_spec *spec,
                             struct err *err) MUST_USE;

#endif

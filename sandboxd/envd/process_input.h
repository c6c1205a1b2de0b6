/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to be read by a process: written without blocking, in order, with a
 * bound. Who sent it is told when the process has taken it, so a process that
 * does not read slows its senders down and nobody else. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_INPUT_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_INPUT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

enum { INPUT_WAITING_MAX = 32 << 20 }; /* bytes of one process */

struct input_part;
/* Once, from the loop: taken, or e->code is not ERR_OK. */
typedef void (*input_done)(void *ctx, const struct err *e);

struct input_queue {
    struct loop *loop;
    int fd; /* non-blocking; -1: none, or closed */
    struct watch *watch;
    size_t waiting; /* bytes */
    TAILQ_HEAD(, input_part) parts;
};

void input_init(struct input_queue *q, struct loop *l);
enum err_code input_open(struct input_queue *q, int fd, struct err *err) MUST_USE; /* takes fd */

struct input_want { /* who wants to know when it is taken */
    input_done fn;
    void *ctx;
    struct input_part **waits; /* set to NULL: done at once, fn is not called */
};

/* Takes `bytes`. ERR_GONE: nobody reads. ERR_CAPACITY: the bound is reached. */
enum err_code input_add(struct input_queue *q, struct buf *bytes, const struct input_want *want,
                        struct err *err) MUST_USE;
/* The end of the input, behind what waits; closed already is fine. ERR_NOMEM. */
enum err_code input_end(struct input_queue *q, const struct input_want *want,
                        struct err *err) MUST_USE;
/* Nobody waits for it any more; the bytes still go. */
void input_forget(struct input_part *part);
/* Closes it; whoever waits is told `why`, or that it went well if that is NULL. */
void input_close(struct input_queue *q, const struct err *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what many processes write, in rounds. After a silence a line is read at
 * once; what comes in the next few milliseconds waits for the next round. So the
 * cost of waking up is paid per round, not per line and process. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_PUMP_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_PUMP_H

#include <stdbool.h>

#include "common/err.h"
#include "common/loop.h"

enum { PUMP_PAUSE_MS = 4 }; /* between two rounds: the longest a line is held back */

struct pump;
struct pump_end {             /* embed it; zero it, but for fd, ready and ctx */
    int fd;                   /* non-blocking; stays the caller's */
    bool (*ready)(void *ctx); /* reads once; true: there may be more. May remove any end */
    void *ctx;
    bool on;
};

enum err_code pump_new(struct loop *l, struct pump **out, struct err *err) MUST_USE;
void pump_free(struct pump *p); /* no end is on any more */

/* Whether it is read. ERR_IO when the kernel refuses it. */
enum err_code pump_set(struct pump *p, struct pump_end *e, bool on, struct err *err) MUST_USE;
void pump_off(struct pump *p, struct pump_end *e); /* before its fd is closed */

#endif

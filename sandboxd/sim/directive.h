/* SPDX-License-Identifier: Apache-2.0 */
/* What a test asks of the simulated Claude, anywhere in its prompt:
 *   [[sim:lines=200 delay_ms=10 size=300 tool=Bash fail=overloaded exit=3 …]]
 * Pure. Unknown names and values that are no number are ignored: a prompt is
 * never an error. The first directive counts. */
#ifndef SANDFLEET_SANDBOXD_SIM_DIRECTIVE_H
#define SANDFLEET_SANDBOXD_SIM_DIRECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct directive {
    int64_t lines;    /* assistant lines; 0..1000000 */
    int64_t delay_ms; /* before each line after init; 0..3600000 */
    int64_t size;     /* least bytes of each text; 0..8 MiB */
    int64_t exit;     /* status instead of the usual one; -1: the usual one */
    int64_t reset_s;  /* fail=usage_limit: seconds until the window opens again */
    struct str tool;  /* borrowed from the prompt: a tool call of this name; empty: none */
    struct str fail;  /* borrowed: a row of fail.c; empty: success */
    struct str err;   /* borrowed: goes to stderr */
    bool ignore_term; /* SIGTERM does nothing */
    bool hang;        /* after the lines: stays until a signal ends it */
    bool nul;         /* texts contain a NUL */
    bool text;        /* one line that is not JSON */
};

struct directive directive_parse(struct str prompt);

#endif

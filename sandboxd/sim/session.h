/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulated session remembers between two calls, in the file where the real one has its
 * transcript: ~/.claude/projects/<working directory>/<id>.jsonl, found in any folder there. */
#ifndef SANDFLEET_SANDBOXD_SIM_SESSION_H
#define SANDFLEET_SANDBOXD_SIM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct session {
    const char *id; /* borrowed; a UUID */
    int64_t prompts, tokens_in, tokens_out;
};

/* False: there is no such session; the counters are then 0. */
bool session_load(struct session *s);
/* One line more. Best effort: a simulation without a home still runs. */
void session_save(const struct session *s);

#endif

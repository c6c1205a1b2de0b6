/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `claude -p`, as far as somebody may use it here: the flags
 * are accepted, the few that matter are kept, mistakes read as the real CLI's do. */
#ifndef SANDFLEET_SANDBOXD_SIM_ARGS_H
#define SANDFLEET_SANDBOXD_SIM_ARGS_H

#include <stdbool.h>

struct settings {
    const char *prompt, *session, *resume, *permission_mode;
    bool print, stream_json, verbose, version, help;
};

bool args_read(struct settings *s, int argc, char **argv); /* false: bad, and said so */
int args_check(const struct settings *s);                  /* 0, or the exit status */

int complain(const char *text, const char *subject); /* on stderr; returns 1 */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock, with constants of our own: which version there is shows when it runs. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_LANDLOCK_H
#define SANDFLEET_SANDBOXD_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LANDLOCK_ABI_FILES = 1,  /* what weak isolation cannot do without */
    LANDLOCK_ABI_TCP = 4,    /* connect and bind by port */
    LANDLOCK_ABI_SCOPES = 6, /* abstract unix sockets and signals stay inside */
    LANDLOCK_PORTS_MAX = 32
};

int landlock_abi(void); /* 0: the kernel has none, or it is switched off */

enum { LANDLOCK_READ, LANDLOCK_WRITE }; /* read and execute; and everything else */
struct landlock_path {
    const char *path; /* one that is not there is left out */
    int what;
};

struct landlock_rules {
    const struct landlock_path *paths;
    uint32_t n_paths;      /* 0: files are not restricted */
    const uint16_t *ports; /* TCP ports that may be connected to */
    uint32_t n_ports;      /* 0: TCP is not restricted; needs LANDLOCK_ABI_TCP */
};

/* For this process and all that it starts, and never again loosened. What the
 * kernel has of scopes is always in. False with errno. Needs no_new_privs. */
bool landlock_enter(const struct landlock_rules *r);

#endif

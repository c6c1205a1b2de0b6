/* SPDX-License-Identifier: Apache-2.0 */
/* What sandfleet-init, the program, is given by descriptor when it starts. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_INIT_SETUP_H
#define SANDFLEET_SANDBOXD_SANDBOX_INIT_SETUP_H

#include <stdint.h>

#include "sandboxd/sandbox/identity.h"
#include "sandboxd/sandbox/landlock.h"

enum {
    INIT_SOCKET = 3, /* to the server */
    INIT_SETUP,      /* a memfd: struct init_setup, then the filter of system calls */
    INIT_PROGRAM,    /* the program itself, for bubblewrap to execute */
    INIT_BWRAP_ARGS  /* read and closed by bubblewrap */
};
enum { INIT_PATH_ROOM = 1200 };
#define INIT_PROXY_PORT   3128
#define INIT_PROXY_SOCKET "/run/sandfleet/egress.sock"

enum init_trait {
    INIT_ALONE = 1 << 0,  /* first process of a pid namespace */
    INIT_FENCED = 1 << 1, /* Landlock: files */
    INIT_SCOPED = 1 << 2, /* Landlock: what it has beside files */
    INIT_FORWARD = 1 << 3 /* relays the proxy's port on loopback to its socket */
};

struct init_setup {
    uint32_t size; /* of this: both programs are of one build */
    uint32_t traits;
    struct identity identity;
    /* Of each command; 0: as the server has it. */
    uint64_t max_files, max_procs, max_file_bytes, max_data_bytes;
    uint32_t filter_bytes; /* 0: none */
    uint32_t n_ports;
    uint16_t ports[LANDLOCK_PORTS_MAX];
    char folder[INIT_PATH_ROOM]; /* "": not ours to remove */
    char home[INIT_PATH_ROOM], temp[INIT_PATH_ROOM], template[INIT_PATH_ROOM];
};

#endif

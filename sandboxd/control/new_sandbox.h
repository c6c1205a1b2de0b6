/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a create request, checked; and the network rules in it. Pure. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_NEW_SANDBOX_H
#define SANDFLEET_SANDBOXD_CONTROL_NEW_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    TIMEOUT_MAX_S = 24 * 3600,
    TIMEOUT_V1_S = 15,
    TIMEOUT_V2_S = 300,
    TEMPLATE_NAME_ROOM = 128,
    NETWORK_LIST_MAX = 1024 /* entries of one list */
};

enum tristate { UNTOLD, YES, NO };

struct new_sandbox { /* borrowed from the body */
    struct str template;
    int64_t timeout_s;
    bool secure, auto_pause, auto_resume;
    enum tristate internet;
    const cJSON *metadata, *env; /* objects of strings; NULL: none */
    const cJSON *network;        /* checked; NULL: none */
};

/* v2: the newer of the two endpoints: longer by default, always secured. Unknown members are
 * ignored. ERR_INVALID. */
enum err_code new_sandbox_parse(const cJSON *body, bool v2, struct new_sandbox *out,
                                struct err *err) MUST_USE;

/* A "timeout" in seconds: def when there is none. zero_ok: 0 is no mistake. ERR_INVALID. */
enum err_code timeout_parse(const cJSON *body, int64_t def, bool zero_ok, int64_t *out,
                            struct err *err) MUST_USE;

/* allowOut, denyOut, rules and so on. ERR_INVALID. */
enum err_code network_check(const cJSON *network, struct err *err) MUST_USE;
bool network_adds(const cJSON *network); /* do its rules add headers? */
/* A copy with the values of the rules' headers masked: they may be credentials. Yours. */
cJSON *network_shown(const cJSON *network);

/* "[namespace/]alias[:tag]" in any case. ERR_INVALID: no such name can be. */
struct template_ref {
    char name[TEMPLATE_NAME_ROOM], tag[TEMPLATE_NAME_ROOM]; /* lower case; tag "": none */
};
enum err_code template_ref_parse(struct str text, struct template_ref *out,
                                 struct err *err) MUST_USE;

#endif

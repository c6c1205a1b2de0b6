/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a daemon answers, reading it ends in a list below its ceiling whose texts
 * are texts, or in an error and an empty list. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/e2b/envd_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touch(const char *text)
{
    return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size};
    struct envd_processes p;
    struct envd_entries e;
    struct watch_event w;
    struct err err;
    size_t n = 0;

    if (envd_processes_parse(body, &p, &err) != ERR_OK)
        assert(!p.all && !p.tree && p.n == 0);
    assert(p.n <= ENVD_LIST_MAX);
    for (size_t i = 0; i < p.n; i++)
        n += strlen(p.all[i].cmd) + strlen(p.all[i].cwd) + touch(p.all[i].tag);
    envd_processes_release(&p);
    if (envd_entries_parse(body, &e, &err) != ERR_OK)
        assert(!e.all && !e.tree && e.n == 0);
    assert(e.n <= ENVD_LIST_MAX);
    for (size_t i = 0; i < e.n; i++)
        n += strlen(e.all[i].name) + strlen(e.all[i].path) + strlen(e.all[i].owner) +
             strlen(e.all[i].group) + touch(e.all[i].target);
    envd_entries_release(&e);
    if (watch_event_parse(body, &w, &err) == ERR_OK)
        assert(strlen(w.name) < WATCH_NAME_MAX_BYTES);
    return n > SIZE_MAX / 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Runs, read. */
#include "api/api_internal.h"

#include "common/banned.h"

void run_get(struct call *c)
{
    static const char *const none[] = {NULL};
    const char *id = call_params(c, none) ? call_run_id(c) : NULL;
    const struct pg_cmd cmd = {
        .sql = "SELECT json_strip_nulls(json_build_object('run_id', run_id, 'state', state))"
               " FROM fleet.runs WHERE run_id = $1 AND tenant = $2",
        .n = 2,
        .v = {id, c->who.tenant}};

    if (id)
        call_query(c, &cmd, call_json_row);
}

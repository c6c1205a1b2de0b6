/* SPDX-License-Identifier: Apache-2.0 */
/* The door of those who say who they are: what a body says of a run, all its mistakes at once. */
#include "schema/run_request_fields.h"

#include <string.h>

#include "common/banned.h"

/* The door says these. */
static bool is_the_doors(const char *name)
{
    static const char *const names[] = {"v",        "run_id",     "tenant",
                                        "batch_id", "created_at", "idempotency_key"};

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum err_code read_member(const cJSON *item, struct run_request *out, struct err *err)
{
    const struct field *f = run_field_find(item->string);

    if (!f)
        return run_field_refuse_unknown(item->string, err);
    if (is_the_doors(item->string))
        return run_field_refuse(f, err, "is not for a request to say here");
    return run_field_read(f, item, out, err);
}

bool run_request_read(cJSON *tree, struct run_request *out, run_request_bad_fn bad, void *ctx)
{
    struct err err = ERR_INIT;
    const cJSON *item;
    bool good = true;

    out->tree = tree;
    if (run_secret_in_tree(tree)) {
        run_request_refuse_secret(&err);
        bad(ctx, "", &err);
        return false;
    }
    cJSON_ArrayForEach(item, tree)
    {
        if (read_member(item, out, &err) == ERR_OK)
            continue;
        bad(ctx, item->string, &err);
        good = false;
    }
    if (!json_get(tree, "prompt") && run_request_check_prompt(out, &err) != ERR_OK) {
        bad(ctx, "prompt", &err);
        good = false;
    }
    if (run_request_check_times(out, &err) != ERR_OK) {
        bad(ctx, "not_before", &err);
        good = false;
    }
    run_request_defaults(out);
    return good;
}

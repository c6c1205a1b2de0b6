/* SPDX-License-Identifier: Apache-2.0 */
/* What a run request is beyond its text: defaults, key, id, reasons. */
#include "schema/run_request.h"

#include <assert.h>
#include <string.h>

#include "common/uuid.h"
#include "common/banned.h"

const char *on_busy_name(enum on_busy b)
{
    static const char *const names[ON_BUSY_POLICIES] = {
        [ON_BUSY_ENQUEUE] = "enqueue",
        [ON_BUSY_REJECT] = "reject",
        [ON_BUSY_INTERRUPT] = "interrupt",
    };

    return b < ON_BUSY_POLICIES ? names[b] : "?";
}

const char *run_lane_name(enum run_lane lane)
{
    static const char *const names[LANES] = {"interactive", "batch"};

    assert(lane < LANES);
    return names[lane];
}

static void fill_text(const char **slot, const char *text)
{
    if (!*slot)
        *slot = text;
}

static void fill_int(int64_t *slot, int64_t least, int64_t n)
{
    if (*slot < least)
        *slot = n;
}

void run_request_defaults(struct run_request *r)
{
    fill_text(&r->tenant, "default");
    fill_text(&r->credential, "default");
    fill_text(&r->working_dir, "work");
    fill_text(&r->template, "claude");
    fill_int(&r->timeout_s, 1, 3600);
    fill_int(&r->max_attempts, 1, 3);
    fill_int(&r->priority, 0, 5);
    if (r->n_warn == 0) {
        r->warn_at_s[r->n_warn++] = 1800;
        r->warn_at_s[r->n_warn++] = 3000;
    }
}

struct str run_request_key(const struct run_request *r)
{
    return str_of(r->session_id ? r->session_id : r->run_id);
}

enum err_code run_request_check_key(const struct run_request *r, struct str key, struct err *err)
{
    if (!str_eq(key, run_request_key(r)))
        return err_set(err, ERR_INVALID, "key_mismatch: the record's key is not its %s",
                       r->session_id ? "session id" : "run id");
    return ERR_OK;
}

struct str run_request_reason(const struct err *err)
{
    static const char *const reasons[] = {
        "empty",          "unsupported_version", "missing_run_id", "invalid_run_id",
        "missing_prompt", "empty_prompt",        "too_large",      "secret_in_record",
        "unknown_field",  "invalid_field",       "key_mismatch",
    };
    struct str word = {err->msg, strcspn(err->msg, ":")};

    for (size_t i = 0; i < COUNTOF(reasons); i++)
        if (str_is(word, reasons[i]))
            return str_of(reasons[i]);
    return STR("malformed");
}

void run_request_derive_id(const char *tenant, const char *idempotency_key, char *out)
{
    struct str parts[] = {STR("run"), str_of(tenant), str_of(idempotency_key)};

    uuid_v8(parts, COUNTOF(parts), out);
}

void run_request_release(struct run_request *r)
{
    json_delete(&r->tree);
    *r = RUN_REQUEST_INIT;
}

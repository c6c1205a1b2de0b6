/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the request topics: a record's value to a run request, or a reason. */
#include "schema/run_request_fields.h"

#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "common/banned.h"

static enum err_code parse_tree(struct str json, cJSON **out, struct err *err)
{
    enum err_code rc;

    if (json.n == 0)
        return err_set(err, ERR_INVALID, "empty: the record has no value");
    if (json.n > RUN_REQUEST_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG,
                       "too_large: the record has %zu bytes, at most %d are allowed", json.n,
                       RUN_REQUEST_MAX_BYTES);
    rc = json_parse(json, JSON_STRICT, out, err);
    if (rc != ERR_OK) {
        (void)err_wrap(err, "malformed");
        return rc;
    }
    if (!cJSON_IsObject(*out))
        return err_set(err, ERR_INVALID, "malformed: a run request is one JSON object");
    if (run_secret_in_tree(*out))
        return run_request_refuse_secret(err);
    return ERR_OK;
}

enum err_code run_request_refuse_secret(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "secret_in_record: a value contains \"sk-ant-\"; name a credential instead");
}

/* What makes a JSON object a record of ours. */
static enum err_code check_envelope(struct run_request *out, bool draft, struct err *err)
{
    const cJSON *v = json_get(out->tree, "v"), *run_id = json_get(out->tree, "run_id");

    if (v || !draft) {
        enum err_code rc = run_field_read(run_field_find("v"), v, out, err);

        if (rc != ERR_OK)
            return rc;
    }
    if (!run_id && !draft)
        return err_set(err, ERR_INVALID, "missing_run_id: 'run_id' must be there");
    if (run_id && (!cJSON_IsString(run_id) || !uuid_valid(str_of(run_id->valuestring))))
        return err_set(err, ERR_INVALID, "invalid_run_id: 'run_id' must be a UUID in lower case");
    return ERR_OK;
}

/* A name may be shown when it looks like one: it comes from outside. */
static bool is_showable(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= 40 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

enum err_code run_field_refuse_unknown(const char *name, struct err *err)
{
    const struct field *near = run_field_nearest(name);

    if (!is_showable(name))
        return err_set(err, ERR_INVALID, "unknown_field: a name of %zu bytes", strlen(name));
    if (!near)
        return err_set(err, ERR_INVALID, "unknown_field: '%s'", name);
    return err_set(err, ERR_INVALID, "unknown_field: '%s'; did you mean '%s'?", name, near->name);
}

static enum err_code read_fields(struct run_request *r, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, r->tree)
    {
        const struct field *f = run_field_find(item->string);
        enum err_code rc =
            f ? run_field_read(f, item, r, err) : run_field_refuse_unknown(item->string, err);

        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* A creation time must not depend on who reads the record: it is in it, or in the id. */
static void derive_created(struct run_request *r)
{
    char text[CLOCK_TEXT];
    int64_t ms;

    if (r->created_ms == 0 && r->run_id && uuid_v7_ms(str_of(r->run_id), &ms) &&
        clock_rfc3339(ms, text)[0] != '-')
        r->created_ms = ms;
}

enum err_code run_request_check_times(struct run_request *r, struct err *err)
{
    const struct field *not_before = run_field_find("not_before");

    derive_created(r);
    if (r->not_before_ms > 0 && r->created_ms == 0)
        return run_field_refuse(not_before, err, "needs created_at");
    if (r->not_before_ms > r->created_ms && r->not_before_ms - r->created_ms > RUN_AHEAD_MAX_MS)
        return run_field_refuse(not_before, err, "must be at most 366 days after created_at");
    return ERR_OK;
}

enum err_code run_request_check_prompt(const struct run_request *r, struct err *err)
{
    if (!r->prompt)
        return err_set(err, ERR_INVALID, "missing_prompt: 'prompt' must be there");
    return ERR_OK;
}

static enum err_code parse(struct str json, bool draft, struct run_request *out, struct err *err)
{
    enum err_code rc;

    *out = RUN_REQUEST_INIT;
    rc = parse_tree(json, &out->tree, err);
    if (rc == ERR_OK)
        rc = check_envelope(out, draft, err);
    if (rc == ERR_OK)
        rc = read_fields(out, err);
    if (rc == ERR_OK)
        rc = run_request_check_prompt(out, err);
    if (rc == ERR_OK)
        rc = run_request_check_times(out, err);
    if (rc == ERR_OK)
        run_request_defaults(out);
    else
        run_request_release(out);
    return rc;
}

enum err_code run_request_parse(struct str json, struct run_request *out, struct err *err)
{
    return parse(json, false, out, err);
}

enum err_code run_request_parse_draft(struct str json, struct run_request *out, struct err *err)
{
    return parse(json, true, out, err);
}

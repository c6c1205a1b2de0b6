/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/item.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/banned.h"

void item_refuse(struct item *it, enum problem p, const char *fmt, ...)
{
    va_list ap;

    it->problem = p;
    it->pointer[0] = '\0';
    va_start(ap, fmt);
    (void)vsnprintf(it->detail, sizeof(it->detail), fmt, ap);
    va_end(ap);
}

static cJSON *read_object(struct str line, struct item *out)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (line.n > ITEM_MAX_BYTES) {
        item_refuse(out, PROBLEM_TOO_LARGE, "the line is over %d bytes", ITEM_MAX_BYTES);
        return NULL;
    }
    if (json_parse(line, JSON_STRICT, &tree, &err) == ERR_OK && cJSON_IsObject(tree))
        return tree;
    cJSON_Delete(tree);
    if (err.code == ERR_NOMEM)
        item_refuse(out, PROBLEM_INTERNAL, "out of memory");
    else
        item_refuse(out, PROBLEM_BAD_JSON, "the line is no JSON object: %s",
                    err.code == ERR_OK ? "it is another value" : err.msg);
    return NULL;
}

static bool read_name(const cJSON *tree, struct item *out, struct body_errors *errors)
{
    const char *name = body_name(tree, "custom_id", errors);

    if (!name && errors->n == 0)
        body_errors_add(errors, "", "custom_id", PROBLEM_INVALID,
                        "'custom_id' must be there: the run's id derives from it");
    if (name)
        (void)snprintf(out->custom_id, sizeof(out->custom_id), "%s", name);
    return name != NULL;
}

/* As the command-line client derives it: the same batch and name are the same run. */
static void begin(const struct item_batch *b, struct item *out)
{
    struct run_request *r = &out->run.request;

    *r = RUN_REQUEST_INIT;
    out->run.lane = LANE_BATCH;
    (void)snprintf(out->key, sizeof(out->key), "%s/%s", b->batch_id, out->custom_id);
    run_request_derive_id(b->tenant, out->key, out->run_id);
    r->tenant = b->tenant;
    r->batch_id = b->batch_id;
    r->idempotency_key = out->key;
    r->run_id = out->run_id;
    r->created_ms = clock_wall_ms();
}

static bool tell(struct item *out, const struct body_errors *errors)
{
    const struct problem_field *first = &errors->fields[0];

    item_refuse(out, first->problem, "%s", first->detail);
    (void)snprintf(out->pointer, sizeof(out->pointer), "%s", first->pointer);
    return false;
}

bool item_read(struct str line, const struct item_batch *b, struct item *out)
{
    struct body_errors errors = BODY_ERRORS_INIT;
    cJSON *tree;

    *out = (struct item){.problem = PROBLEMS, .run.request = RUN_REQUEST_INIT};
    tree = read_object(line, out);
    if (!tree)
        return false;
    if (!read_name(tree, out, &errors)) {
        cJSON_Delete(tree);
        return tell(out, &errors);
    }
    if (!body_defaults_add(tree, b->defaults)) {
        cJSON_Delete(tree);
        item_refuse(out, PROBLEM_INTERNAL, "out of memory");
        return false;
    }
    begin(b, out);
    if (body_run_read(tree, &out->run, &errors))
        return true;
    item_release(out);
    return tell(out, &errors);
}

void item_release(struct item *it)
{
    run_request_release(&it->run.request);
    it->run.request = RUN_REQUEST_INIT;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void put_error(const struct item *it, struct buf *out)
{
    json_key(out, "error");
    buf_addc(out, '{');
    json_kv(out, "code", problem_word(it->problem));
    json_kv(out, "detail", it->detail);
    if (it->pointer[0])
        json_kv(out, "pointer", it->pointer);
    else
        json_kv_raw(out, "pointer", STR("null"));
    json_kv_bool(out, "retryable", problem_may_do_later(it->problem));
    buf_addc(out, '}');
}

void item_answer(const struct item *it, int64_t line, bool accepted, struct buf *out)
{
    buf_addc(out, '{');
    json_kv_int(out, "line", line);
    if (it->custom_id[0])
        json_kv(out, "custom_id", it->custom_id);
    else
        json_kv_raw(out, "custom_id", STR("null"));
    json_kv(out, "status", accepted ? "accepted" : "rejected");
    if (accepted)
        json_kv(out, "run_id", it->run_id);
    else
        json_kv_raw(out, "run_id", STR("null"));
    if (accepted)
        json_kv_raw(out, "error", STR("null"));
    else
        put_error(it, out);
    buf_adds(out, "}\n");
}

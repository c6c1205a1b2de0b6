/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/item.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/batch/message_params.h"
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
    if (json_parse(line, JSON_STRICT, &tree, &err) == ERR_OK && cJSON_IsObject(tree) &&
        !run_secret_in_tree(tree))
        return tree;
    if (tree && run_secret_in_tree(tree)) { /* nothing of the line is told back */
        cJSON_Delete(tree);
        item_refuse(out, PROBLEM_SECRET, "a value contains \"sk-ant-\"; name a credential instead");
        return NULL;
    }
    cJSON_Delete(tree);
    if (err.code == ERR_NOMEM)
        item_refuse(out, PROBLEM_INTERNAL, "out of memory");
    else
        item_refuse(out, PROBLEM_BAD_JSON, "the line is no JSON object: %s",
                    err.code == ERR_OK ? "it is another value" : err.msg);
    return NULL;
}

/* --- lines of the Message Batches format ------------------------------------------------------ */

static bool move_members(cJSON *from, cJSON *to, struct item *out)
{
    cJSON *one;

    while ((one = from->child)) {
        if (json_get(to, one->string)) {
            item_refuse(out, PROBLEM_INVALID, "'%s' is in params, too: give one", one->string);
            (void)snprintf(out->pointer, sizeof(out->pointer), "/%s", one->string);
            return false;
        }
        (void)!cJSON_AddItemToObject(to, one->string, cJSON_DetachItemViaPointer(from, one));
    }
    return true;
}

/* What params says to a model, as members of a run request. False: *out says why not. */
static bool read_params(cJSON *tree, struct item *out)
{
    cJSON *params = cJSON_DetachItemFromObjectCaseSensitive(tree, "params");
    char *text = params ? cJSON_PrintUnformatted(params) : NULL;
    AUTO_BUF members = BUF_INIT(2 * ITEM_MAX_BYTES), object = BUF_INIT(2 * ITEM_MAX_BYTES + 2);
    struct err err = ERR_INIT;
    AUTO_JSON *own = NULL;
    bool max_tokens, none = !params;

    cJSON_Delete(params);
    if (none)
        return true;
    if (!text)
        (void)err_set(&err, ERR_NOMEM, "out of memory");
    else
        (void)!message_params(str_of(text), &members, &max_tokens, out->pointer, &err);
    buf_addc(&object, '{');
    buf_addstr(&object, buf_str(&members));
    buf_addc(&object, '}');
    cJSON_free(text);
    if (err.code == ERR_OK && object.rc == ERR_OK &&
        json_parse(buf_str(&object), JSON_STRICT, &own, &err) == ERR_OK)
        return move_members(own, tree, out);
    out->problem = err.code == ERR_INVALID ? PROBLEM_INVALID : PROBLEM_INTERNAL;
    (void)snprintf(out->detail, sizeof(out->detail), "%s",
                   err.code == ERR_OK ? "params is too long" : err.msg);
    return false;
}

/* Where it stood in the line. */
static void point_into_params(struct item *out)
{
    const char *at =
        out->pointer[0] == '/' ? message_params_pointer(str_of(out->pointer + 1)) : NULL;

    if (at)
        (void)snprintf(out->pointer, sizeof(out->pointer), "%s", at);
}

/* --- a line
 * --------------------------------------------------------------------------------------- */

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
    int64_t now_us = clock_wall_next_us(); /* in the order of the lines */

    *r = RUN_REQUEST_INIT;
    out->run.lane = LANE_BATCH;
    (void)snprintf(out->key, sizeof(out->key), "%s/%s", b->batch_id, out->custom_id);
    run_request_derive_id(b->tenant, out->key, out->run_id);
    r->tenant = b->tenant;
    r->batch_id = b->batch_id;
    r->idempotency_key = out->key;
    r->run_id = out->run_id;
    r->created_ms = now_us / 1000;
    r->created_us = (int)(now_us % 1000);
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
    bool of_params;
    cJSON *tree;

    *out = (struct item){.problem = PROBLEMS, .run.request = RUN_REQUEST_INIT};
    tree = read_object(line, out);
    if (!tree)
        return false;
    if (!read_name(tree, out, &errors)) {
        cJSON_Delete(tree);
        return tell(out, &errors);
    }
    of_params = json_get(tree, "params") != NULL;
    if (!read_params(tree, out)) {
        cJSON_Delete(tree);
        return false;
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
    (void)tell(out, &errors);
    if (of_params)
        point_into_params(out);
    return false;
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

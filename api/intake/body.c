/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/body.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

enum { SHOWN_MAX = 64 /* bytes of a member's name that is not ours */ };

/* --- mistakes ---------------------------------------------------------------------- */

static bool is_showable(const char *name)
{
    struct str s = str_of(name);

    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= SHOWN_MAX && str_utf8(s, NULL) && !strstr(name, "sk-ant-");
}

/* RFC 6901: ~ and / have names of their own. */
static void add_step(struct buf *out, const char *name)
{
    buf_addc(out, '/');
    for (; *name; name++)
        if (*name == '~' || *name == '/')
            buf_adds(out, *name == '~' ? "~0" : "~1");
        else
            buf_addc(out, *name);
}

void body_errors_add(struct body_errors *e, const char *under, const char *member, enum problem p,
                     const char *fmt, ...)
{
    AUTO_BUF pointer = BUF_INIT(2 * BODY_POINTER_BYTES);
    size_t i = e->n;
    va_list ap;

    if (i == BODY_ERRORS_MAX)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(e->details[i], sizeof(e->details[i]), fmt, ap);
    va_end(ap);
    buf_adds(&pointer, under);
    if (is_showable(member))
        add_step(&pointer, member);
    (void)snprintf(e->pointers[i], sizeof(e->pointers[i]), "%s", pointer.len ? pointer.p : "");
    e->fields[i] = (struct problem_field){p, e->pointers[i], e->details[i]};
    e->n++;
}

struct place {
    struct body_errors *errors;
    const char *under;
};

const char *body_reason_text(const struct err *e)
{
    struct str word = run_request_reason(e);
    const char *text = e->msg;

    if (str_starts(str_of(text), word.p) && text[word.n] == ':' && text[word.n + 1] == ' ')
        text += word.n + 2;
    return text;
}

static void on_bad(void *ctx, const char *member, const struct err *e)
{
    const struct place *at = ctx;
    enum problem p = problem_find(run_request_reason(e));

    body_errors_add(at->errors, at->under, member, p == PROBLEMS ? PROBLEM_INVALID : p, "%s%s",
                    p == PROBLEM_UNKNOWN_FIELD ? "no such member: " : "", body_reason_text(e));
}

/* --- runs -------------------------------------------------------------------------- */

static bool read_lane(cJSON *tree, const char *under, enum run_lane *out,
                      struct body_errors *errors)
{
    cJSON *lane = cJSON_DetachItemFromObjectCaseSensitive(tree, "lane");
    bool good = lane == NULL;

    for (int i = 0; cJSON_IsString(lane) && i < LANES; i++)
        if (strcmp(lane->valuestring, run_lane_name((enum run_lane)i)) == 0) {
            *out = (enum run_lane)i;
            good = true;
        }
    cJSON_Delete(lane);
    if (!good)
        body_errors_add(errors, under, "lane", PROBLEM_INVALID,
                        "'lane' must be interactive or batch");
    return good;
}

static bool read_run(cJSON *tree, const char *under, struct body_run *out,
                     struct body_errors *errors)
{
    struct place at = {errors, under};
    bool lane = read_lane(tree, under, &out->lane, errors);

    return run_request_read(tree, &out->request, on_bad, &at) && lane;
}

bool body_run_read(cJSON *tree, struct body_run *out, struct body_errors *errors)
{
    return read_run(tree, "", out, errors);
}

/* --- batches ------------------------------------------------------------------------- */

bool body_defaults_check(const cJSON *defaults, int64_t now_ms, struct body_errors *errors)
{
    static const char *const not_these[] = {"prompt", "custom_id"};
    size_t before = errors->n;
    struct body_run run = {.request = RUN_REQUEST_INIT};
    cJSON *copy = cJSON_IsObject(defaults) ? cJSON_Duplicate(defaults, true) : NULL;

    if (!copy) {
        body_errors_add(errors, "", "defaults", PROBLEM_INVALID, "'defaults' must be an object");
        return false;
    }
    for (size_t i = 0; i < COUNTOF(not_these); i++)
        if (json_get(copy, not_these[i])) {
            body_errors_add(errors, "/defaults", not_these[i], PROBLEM_INVALID,
                            "'%s' is for each item to say", not_these[i]);
            cJSON_DeleteItemFromObjectCaseSensitive(copy, not_these[i]);
        }
    run.request.prompt = "x";
    run.request.created_ms = now_ms;
    (void)read_run(copy, "/defaults", &run, errors);
    run_request_release(&run.request);
    return errors->n == before;
}

bool body_defaults_add(cJSON *item, const cJSON *defaults)
{
    cJSON *member;

    cJSON_ArrayForEach(member, defaults)
    {
        if (!json_get(item, member->string) &&
            !cJSON_AddItemReferenceToObject(item, member->string, member))
            return false;
    }
    return true;
}

/* --- members --------------------------------------------------------------------------- */

const char *body_name(const cJSON *tree, const char *member, struct body_errors *errors)
{
    const cJSON *item = json_get(tree, member);

    if (!item)
        return NULL;
    if (cJSON_IsString(item) && run_name_ok(str_of(item->valuestring)))
        return item->valuestring;
    body_errors_add(errors, "", member, PROBLEM_INVALID,
                    "'%s' must be 1..%d of A-Z a-z 0-9 . _ : @ / + - and not begin with - or .",
                    member, RUN_NAME_MAX_BYTES);
    return NULL;
}

void body_only(const cJSON *tree, const char *const *names, struct body_errors *errors)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, tree)
    {
        const char *const *name = names;

        while (*name && strcmp(*name, member->string) != 0)
            name++;
        if (!*name)
            body_errors_add(errors, "", member->string, PROBLEM_UNKNOWN_FIELD,
                            "there is no member '%s'",
                            is_showable(member->string) ? member->string : "?");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/letters_asked.h"

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/body.h"
#include "api/letter_id.h"
#include "common/banned.h"

enum { IDS_MAX = 1000, ARRAY_MAX = 1 << 20, ANSWER_MAX = 64 };

/* --- places ---------------------------------------------------------------------------------- */

void letter_places_open(struct letter_places *p)
{
    p->topics = p->partitions = p->offsets = BUF_INIT(ARRAY_MAX);
    p->n = 0;
}

void letter_places_release(struct letter_places *p)
{
    buf_release(&p->topics);
    buf_release(&p->partitions);
    buf_release(&p->offsets);
}

void letter_places_add(struct letter_places *p, const char *topic, const char *partition,
                       const char *offset)
{
    buf_addf(&p->topics, "%c\"%s\"", p->n ? ',' : '{', topic);
    buf_addf(&p->partitions, "%c%s", p->n ? ',' : '{', partition);
    buf_addf(&p->offsets, "%c%s", p->n ? ',' : '{', offset);
    p->n++;
}

void letter_places_close(struct letter_places *p)
{
    buf_adds(&p->topics, p->n ? "}" : "{}");
    buf_adds(&p->partitions, p->n ? "}" : "{}");
    buf_adds(&p->offsets, p->n ? "}" : "{}");
}

/* --- what is asked for ----------------------------------------------------------------------- */

static bool word_ok(const char *word)
{
    size_t n = strlen(word);

    return n > 0 && n <= LETTERS_REASON_MAX_BYTES &&
           strspn(word, "abcdefghijklmnopqrstuvwxyz_") == n;
}

/* What is no id names no letter. */
static void read_ids(const cJSON *ids, struct letters_asked *a, struct body_errors *errors)
{
    int n = cJSON_GetArraySize(ids);
    bool good = cJSON_IsArray(ids) && n >= 1 && n <= IDS_MAX;
    const cJSON *one;

    a->by_id = true;
    cJSON_ArrayForEach(one, ids)
    {
        struct letter_id id;

        good = good && cJSON_IsString(one);
        if (good && letter_id_parse(str_of(one->valuestring), &id) && !strpbrk(id.topic, "\"\\"))
            letter_places_add(&a->ids, id.topic, id.partition, id.offset);
    }
    letter_places_close(&a->ids);
    if (!good)
        body_errors_add(errors, "", "ids", PROBLEM_INVALID, "'ids' must be 1 to %d texts", IDS_MAX);
}

static void read_selection(const cJSON *tree, struct letters_asked *a, struct body_errors *errors)
{
    static const char *const members[] = {"ids", "reason", "all", NULL};
    const cJSON *ids = json_get(tree, "ids"), *reason = json_get(tree, "reason");
    const cJSON *all = json_get(tree, "all");

    body_only(tree, members, errors);
    if ((ids != NULL) + (reason != NULL) + (all != NULL) != 1)
        body_errors_add(errors, "", "", PROBLEM_INVALID,
                        "say which: one of 'ids', 'reason' and 'all'");
    if (ids)
        read_ids(ids, a, errors);
    if (reason && cJSON_IsString(reason) && word_ok(reason->valuestring))
        (void)snprintf(a->reason, sizeof(a->reason), "%s", reason->valuestring);
    else if (reason)
        body_errors_add(errors, "", "reason", PROBLEM_INVALID,
                        "'reason' must be a word of small letters");
    if (all && !cJSON_IsTrue(all))
        body_errors_add(errors, "", "all", PROBLEM_INVALID, "'all' must be true");
}

static void on_now(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct letters_asked *a = c->state;

    (void)e;
    (void)snprintf(a->until, sizeof(a->until), "%s", pg_text(res, 0, 0));
    a->next(c);
}

void letters_ask(struct call *c, struct letters_asked *a, void (*next)(struct call *c))
{
    static const char *const none[] = {NULL};
    static const char now_sql[] = "SELECT now()";
    struct body_errors errors = BODY_ERRORS_INIT;
    AUTO_JSON *tree = NULL;

    a->call = c;
    a->next = next;
    letter_places_open(&a->ids);
    if (!call_params(c, none) || !(tree = call_object(c)))
        return;
    read_selection(tree, a, &errors);
    if (errors.n > 0)
        call_problem_fields(c, errors.fields, errors.n);
    else
        call_query(c, &(struct pg_cmd){.sql = now_sql}, on_now);
}

void letters_asked_release(struct letters_asked *a)
{
    letter_places_release(&a->ids);
}

void letters_choose(const struct letters_asked *a, struct pg_cmd *cmd)
{
    cmd->v[0] = a->reason[0] ? a->reason : NULL;
    cmd->v[1] = a->by_id ? a->ids.topics.p : NULL;
    cmd->v[2] = a->by_id ? a->ids.partitions.p : NULL;
    cmd->v[3] = a->by_id ? a->ids.offsets.p : NULL;
    cmd->v[4] = a->until;
    cmd->n = 5;
}

void letters_answer(struct letters_asked *a)
{
    struct buf body = BUF_INIT(ANSWER_MAX);

    buf_addf(&body, "{\"count\":%lld}\n", (long long)a->count);
    call_json(a->call, 200, &body);
}

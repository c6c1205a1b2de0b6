/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/projection_fold.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "common/banned.h"

static const char *const token_names[TOKENS] = {
    [TOKENS_INPUT] = "input_tokens",
    [TOKENS_OUTPUT] = "output_tokens",
    [TOKENS_CACHE_READ] = "cache_read_tokens",
    [TOKENS_CACHE_WRITE] = "cache_write_tokens",
};

const char *const hash_names[HASHES] = {
    [HASH_ARGUMENTS] = "arguments_hash",
    [HASH_PROMPT] = "prompt_hash",
    [HASH_SYSTEM_PROMPT] = "system_prompt_hash",
    [HASH_FILES] = "files_hash",
};

/* A string member replaces *to; a missing one leaves it. */
static void text(const cJSON *data, const char *member, struct str *to)
{
    const char *s = json_get_string(data, member);
    if (s)
        *to = str_of(s);
}

/* The same for a member of any type: its JSON text, which lives in the tree. null is none. */
static void json_text(cJSON *data, const char *member, struct str *to)
{
    const cJSON *value = json_get(data, member);
    char *printed = value && !cJSON_IsNull(value) ? cJSON_PrintUnformatted(value) : NULL;
    const cJSON *kept = printed ? cJSON_AddStringToObject(data, "", printed) : NULL;

    if (kept)
        *to = str_of(kept->valuestring);
    free(printed);
}

static void not_below(const cJSON *data, const char *member, int64_t *to)
{
    int64_t n;
    if (json_get_int(data, member, &n) && n > *to)
        *to = n;
}

static void first(int64_t *to, int64_t ms)
{
    if (*to == 0)
        *to = ms;
}

/* A held run always has a reason, so that the writer can tell "held again, without
 * an end" from "still held". */
static void hold(struct run_row *run, struct str reason, int64_t until_ms)
{
    run->hold_reason = reason.n > 0 ? reason : STR("unspecified");
    run->hold_until_ms = until_ms;
}

static void fold_held(const struct fold *f)
{
    struct str reason = {0}, until = {0};
    int64_t until_ms = 0;

    text(f->data, "reason", &reason);
    text(f->data, "until", &until);
    if (until.n > 0 && !clock_parse_rfc3339(until, &until_ms))
        until_ms = 0;
    hold(f->run, reason, until_ms);
}

static void fold_retrying(const struct fold *f)
{
    struct str reason = {0};
    int64_t delay_ms = 0;

    text(f->data, "reason", &reason);
    text(f->data, "outcome", &reason); /* the class says more than the prose */
    if (!json_get_int(f->data, "delay_ms", &delay_ms) || delay_ms < 0 || delay_ms > INT32_MAX)
        delay_ms = 0;
    hold(f->run, reason, f->event->time_ms + delay_ms);
}

static void fold_place(const struct fold *f)
{
    text(f->data, "worker", &f->run->worker);
    text(f->data, "sandbox_id", &f->run->sandbox);
    if (!f->attempt)
        return;
    text(f->data, "worker", &f->attempt->worker);
    text(f->data, "sandbox_id", &f->attempt->sandbox);
    text(f->data, "model", &f->attempt->model);
    text(f->data, "template", &f->attempt->template);
    text(f->data, "credential", &f->attempt->credential);
    text(f->data, "credential_mode", &f->attempt->credential_mode);
}

/* What the agent was given, word by word or as a hash. */
static void fold_given(const struct fold *f)
{
    json_text(f->data, "arguments", &f->attempt->arguments);
    for (size_t i = 0; i < HASHES; i++)
        text(f->data, hash_names[i], &f->attempt->hashes[i]);
}

static void fold_attempt_starting(const struct fold *f)
{
    fold_place(f);
    if (f->attempt)
        first(&f->attempt->starting_ms, f->event->time_ms);
}

static void fold_attempt_started(const struct fold *f)
{
    fold_place(f);
    first(&f->run->started_ms, f->event->time_ms);
    if (!f->attempt)
        return;
    first(&f->attempt->started_ms, f->event->time_ms);
    fold_given(f);
}

static void add_sandbox_use(const struct fold *f)
{
    double cost;
    int64_t ms;

    if (json_get_int(f->data, "sandbox_ms", &ms) && ms > 0)
        f->run->sandbox_ms += ms;
    if (json_get_number(f->data, "sandbox_cost_usd", &cost) && cost > 0)
        f->run->sandbox_usd += cost;
}

/* An attempt's end adds to the run's sums; the terminal has the last word on them. */
static void fold_attempt_ended(const struct fold *f)
{
    struct attempt_row *a = f->attempt;
    double cost = 0;

    text(f->data, "claude_session", &f->run->session);
    for (size_t i = 0; i < TOKENS; i++) {
        int64_t n;
        if (json_get_int(f->data, token_names[i], &n) && n > 0)
            f->run->tokens[i] += n;
    }
    if (json_get_number(f->data, "cost_usd", &cost) && cost > 0)
        f->run->cost_usd += cost;
    add_sandbox_use(f);
    if (!a)
        return;
    text(f->data, "outcome", &a->outcome);
    text(f->data, "reason", &a->reason);
    text(f->data, "model", &a->model);
    text(f->data, "claude_version", &a->claude_version);
    fold_given(f);
    not_below(f->data, "lines", &a->lines);
    not_below(f->data, "bytes", &a->bytes);
    a->has_exit_code |= json_get_int(f->data, "exit_code", &a->exit_code);
    if (cost > a->cost_usd)
        a->cost_usd = cost;
    a->ended_ms = f->event->time_ms;
}

/* A result that is no string is kept as its JSON text. */
static void fold_result(const struct fold *f)
{
    const cJSON *result = json_get(f->data, "result");

    if (cJSON_IsString(result))
        f->run->result = str_of(result->valuestring);
    else
        json_text(f->data, "result", &f->run->result);
}

static void fold_terminal(const struct fold *f)
{
    struct run_row *run = f->run;
    int64_t n;
    double cost;

    text(f->data, "outcome", &run->outcome);
    text(f->data, "reason", &run->reason);
    text(f->data, "claude_session", &run->session);
    text(f->data, "output_tail", &run->output_tail);
    fold_result(f);
    (void)json_get_bool(f->data, "structured", &run->structured);
    if (json_get_number(f->data, "cost_usd", &cost) && cost >= 0)
        run->cost_usd = cost;
    for (size_t i = 0; i < TOKENS; i++)
        if (json_get_int(f->data, token_names[i], &n) && n >= 0)
            run->tokens[i] = n;
    if (json_get_int(f->data, "sandbox_ms", &n) && n >= 0)
        run->sandbox_ms = n;
    if (json_get_number(f->data, "sandbox_cost_usd", &cost) && cost >= 0)
        run->sandbox_usd = cost;
    run->ended_ms = f->event->time_ms;
}

static void (*const folds[EVENT_TYPES])(const struct fold *) = {
    [EVENT_RUN_HELD] = fold_held,
    [EVENT_RUN_RETRYING] = fold_retrying,
    [EVENT_RUN_RESUMED] = fold_place,
    [EVENT_RUN_COMPLETED] = fold_terminal,
    [EVENT_RUN_FAILED] = fold_terminal,
    [EVENT_RUN_TIMED_OUT] = fold_terminal,
    [EVENT_RUN_CANCELLED] = fold_terminal,
    [EVENT_RUN_EXPIRED] = fold_terminal,
    [EVENT_ATTEMPT_STARTING] = fold_attempt_starting,
    [EVENT_ATTEMPT_STARTED] = fold_attempt_started,
    [EVENT_ATTEMPT_ENDED] = fold_attempt_ended,
    [EVENT_SANDBOX_CREATED] = fold_place,
};

/* --- what becomes of sandboxes --- */

/* NULL: the type says nothing about one. Words: schema/migrations, fleet.sandboxes.state. */
static const char *sandbox_state(enum event_type t, const char *reason)
{
    static const char *const states[EVENT_TYPES] = {
        [EVENT_ATTEMPT_STARTED] = "busy",  [EVENT_SANDBOX_CREATED] = "busy",
        [EVENT_SANDBOX_PARKED] = "parked", [EVENT_SANDBOX_ENDED] = "ended",
        [EVENT_SANDBOX_LOST] = "lost",     [EVENT_SANDBOX_EVICTED] = "evicted",
    };

    if (t == EVENT_SANDBOX_PARKED && reason && strcmp(reason, "paused") == 0)
        return "paused";
    return states[t];
}

/* An eviction tells of a sandbox that somebody else had: its owner's names are not in it. */
bool fold_sandbox(const struct fold *f, struct sandbox_word *out)
{
    const char *state = sandbox_state(f->event->type, json_get_string(f->data, "reason"));

    *out = (struct sandbox_word){.state = state,
                                 .used = f->event->type != EVENT_SANDBOX_EVICTED,
                                 .time_ms = f->event->time_ms,
                                 .cost_usd = -1};
    text(f->data, "sandbox_id", &out->id);
    if (!state || out->id.n == 0)
        return false;
    text(f->data, "template", &out->template);
    text(f->data, "reason", &out->reason);
    not_below(f->data, "age_ms", &out->age_ms);
    not_below(f->data, "running_ms", &out->running_ms);
    if (!json_get_number(f->data, "cost_usd", &out->cost_usd))
        out->cost_usd = -1;
    return true;
}

bool fold_reads_data(enum event_type t)
{
    return folds[t] != NULL || sandbox_state(t, NULL) != NULL;
}

void fold_event(const struct fold *f)
{
    if (folds[f->event->type])
        folds[f->event->type](f);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/outcome.h"

#include <string.h>

#include "common/backoff.h"

#include "common/banned.h"

static const struct {
    const char *name;
    enum event_type event;
    enum outcome_next next;
    enum outcome_credential credential;
    int64_t base_ms, cap_ms;
} rows[] = {
#define ROW(name, text, event, next, credential, base, cap)                                        \
    [OUTCOME_##name] = {text, EVENT_##event, NEXT_##next, CREDENTIAL_##credential, base, cap},
    OUTCOME_MAP(ROW)
#undef ROW
};

const char *outcome_name(enum outcome o)
{
    return rows[o].name;
}

enum outcome_next outcome_next(enum outcome o)
{
    return rows[o].next;
}

enum event_type outcome_event(enum outcome o)
{
    return rows[o].event;
}

/* --- a result line that is an error ---------------------------------------- */

/* Which of a result's facts a row looks at. */
enum fact { SUBTYPE, REASON, API_ERROR, STOP, ERROR_WORD, STATUS, LIMIT, UNKNOWN_SESSION };

/* First match counts: what the program says about itself before the API's answer, and
 * words before numbers. */
static const struct verdict {
    enum fact fact;
    const char *word;
    int64_t least, most;
    enum outcome outcome;
} verdicts[] = {
    {UNKNOWN_SESSION, NULL, 0, 0, OUTCOME_SESSION_LOST},
    {SUBTYPE, "error_max_turns", 0, 0, OUTCOME_MAX_TURNS},
    {SUBTYPE, "error_max_budget_usd", 0, 0, OUTCOME_BUDGET},
    {SUBTYPE, "error_max_structured_output_retries", 0, 0, OUTCOME_AGENT_ERROR},
    {REASON, "max_turns", 0, 0, OUTCOME_MAX_TURNS},
    {REASON, "budget_exhausted", 0, 0, OUTCOME_BUDGET},
    {REASON, "aborted_streaming", 0, 0, OUTCOME_INTERRUPTED},
    {REASON, "aborted_tools", 0, 0, OUTCOME_INTERRUPTED},
    {STOP, "refusal", 0, 0, OUTCOME_REFUSAL},
    {REASON, "prompt_too_long", 0, 0, OUTCOME_CONTEXT_LIMIT},
    {REASON, "blocking_limit", 0, 0, OUTCOME_CONTEXT_LIMIT},
    {REASON, "rapid_refill_breaker", 0, 0, OUTCOME_CONTEXT_LIMIT},
    {API_ERROR, "usage_limit_reached", 0, 0, OUTCOME_USAGE_LIMIT},
    {LIMIT, NULL, 0, 0, OUTCOME_USAGE_LIMIT},
    {STATUS, NULL, 529, 529, OUTCOME_OVERLOADED},
    {ERROR_WORD, "authentication_failed", 0, 0, OUTCOME_AUTH},
    {ERROR_WORD, "oauth_org_not_allowed", 0, 0, OUTCOME_AUTH},
    {ERROR_WORD, "account_on_hold", 0, 0, OUTCOME_AUTH},
    {ERROR_WORD, "verification_required", 0, 0, OUTCOME_AUTH},
    {ERROR_WORD, "cloud_credential_error", 0, 0, OUTCOME_AUTH},
    {ERROR_WORD, "billing_error", 0, 0, OUTCOME_BILLING},
    {ERROR_WORD, "overloaded", 0, 0, OUTCOME_OVERLOADED},
    {ERROR_WORD, "rate_limit", 0, 0, OUTCOME_RATE_LIMITED},
    {ERROR_WORD, "model_not_found", 0, 0, OUTCOME_INVALID_REQUEST},
    {ERROR_WORD, "invalid_request", 0, 0, OUTCOME_INVALID_REQUEST},
    {ERROR_WORD, "max_output_tokens", 0, 0, OUTCOME_AGENT_ERROR},
    {ERROR_WORD, "server_error", 0, 0, OUTCOME_API_ERROR},
    {STATUS, NULL, 401, 401, OUTCOME_AUTH},
    {STATUS, NULL, 402, 402, OUTCOME_BILLING},
    {STATUS, NULL, 403, 403, OUTCOME_AUTH},
    {STATUS, NULL, 408, 408, OUTCOME_API_ERROR},
    {STATUS, NULL, 429, 429, OUTCOME_RATE_LIMITED},
    {STATUS, NULL, 400, 499, OUTCOME_INVALID_REQUEST},
    {STATUS, NULL, 500, 599, OUTCOME_API_ERROR},
    {REASON, "api_error", 0, 0, OUTCOME_API_ERROR},
    {REASON, "model_error", 0, 0, OUTCOME_API_ERROR},
};

static bool word_is(const struct stream_state *st, enum fact fact, const char *word)
{
    const struct stream_result *r = &st->last;
    const char *have = fact == SUBTYPE     ? r->subtype
                       : fact == REASON    ? r->terminal_reason
                       : fact == API_ERROR ? r->api_error
                       : fact == STOP      ? r->stop_reason
                                           : st->error;

    return strcmp(have, word) == 0;
}

/* The newest error word's status stands in where the result has none. */
static int64_t status_of(const struct stream_state *st)
{
    return st->last.api_error_status ? st->last.api_error_status : st->error_status;
}

static bool matches(const struct stream_state *st, const struct verdict *v)
{
    int64_t status = status_of(st);

    switch (v->fact) {
    case UNKNOWN_SESSION:
        return st->no_conversation;
    case LIMIT: /* a window is used up, and the API did say no */
        return st->limit_rejected && status == 429;
    case STATUS:
        return status >= v->least && status <= v->most;
    case SUBTYPE:
    case REASON:
    case API_ERROR:
    case STOP:
    case ERROR_WORD:
        break;
    }
    return word_is(st, v->fact, v->word);
}

static enum outcome judge_result(const struct stream_state *st)
{
    for (size_t i = 0; i < COUNTOF(verdicts); i++)
        if (matches(st, &verdicts[i]))
            return verdicts[i].outcome;
    return OUTCOME_AGENT_ERROR;
}

/* --- no result line -------------------------------------------------------- */

/* What the program prints on stderr when it refuses to start. First match counts. */
static const struct {
    const char *text;
    enum outcome outcome;
} complaints[] = {
    {"No conversation found with session ID", OUTCOME_SESSION_LOST},
    {"is already in use.", OUTCOME_INTERNAL}, /* the session's id: the next attempt has another */
    {"Error: Invalid session ID", OUTCOME_INVALID_REQUEST},
    {"also needs --fork-session", OUTCOME_INVALID_REQUEST},
    {"error: unknown option", OUTCOME_INVALID_REQUEST},
    {"error: option '", OUTCOME_INVALID_REQUEST},
    {"Error: Input must be provided", OUTCOME_INVALID_REQUEST},
    {"Error: piped stdin input exceeds", OUTCOME_INVALID_REQUEST},
    {"requires --verbose", OUTCOME_INVALID_REQUEST},
    {"Error: Invalid MCP configuration", OUTCOME_INVALID_REQUEST},
    {"Error: --json-schema is not valid JSON", OUTCOME_INVALID_REQUEST},
    {"Argument list too long", OUTCOME_INVALID_REQUEST},
    {"cannot be used with root/sudo privileges", OUTCOME_AGENT_ERROR},
};

enum { EXIT_TIMED_OUT = 124, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static enum outcome judge_silence(const struct stream_state *st, int exit_status, struct str text)
{
    bool spoke = st->lines > st->text_lines;

    if (spoke || exit_status == 0) /* it had started: what stderr holds is no reason */
        return OUTCOME_NO_RESULT;
    for (size_t i = 0; i < COUNTOF(complaints); i++)
        if (text.n > 0 &&
            memmem(text.p, text.n, complaints[i].text, strlen(complaints[i].text)) != NULL)
            return complaints[i].outcome;
    if (exit_status == EXIT_NOT_EXECUTABLE || exit_status == EXIT_NOT_FOUND)
        return OUTCOME_AGENT_MISSING;
    return OUTCOME_NO_RESULT;
}

/* A turn was under way behind the last result when the process failed. */
static bool cut_off(const struct stream_state *st, int exit_status)
{
    return exit_status != 0 && st->inits > st->results;
}

/* A model that never complies with the schema ends in success, too. */
enum outcome outcome_of_result(const struct stream_state *st)
{
    if (st->last.is_error)
        return judge_result(st);
    return st->schema_asked && !st->structured ? OUTCOME_AGENT_ERROR : OUTCOME_SUCCESS;
}

enum outcome outcome_of_exit(const struct stream_state *st, int exit_status, struct str stderr_tail)
{
    if (exit_status == EXIT_TIMED_OUT)
        return OUTCOME_TIMED_OUT;
    if (!st->last.seen)
        return judge_silence(st, exit_status, stderr_tail);
    if (!st->last.is_error && cut_off(st, exit_status))
        return OUTCOME_NO_RESULT;
    return outcome_of_result(st);
}

enum outcome outcome_of_error(const struct err *e)
{
    static const enum outcome of[ERR_CODES] = {
        [ERR_OK] = OUTCOME_INTERNAL,
        [ERR_INVALID] = OUTCOME_INVALID,
        [ERR_TOO_BIG] = OUTCOME_SANDBOX_FAILED,
        [ERR_CONFLICT] = OUTCOME_SANDBOX_FAILED,
        [ERR_NOT_FOUND] = OUTCOME_TEMPLATE_UNKNOWN,
        [ERR_USAGE] = OUTCOME_INVALID,
        [ERR_UNAUTHORIZED] = OUTCOME_SANDBOX_FAILED, /* by the sandbox: AUTH is the model's */
        [ERR_TIMEOUT] = OUTCOME_STREAM_LOST,
        [ERR_THROTTLED] = OUTCOME_SANDBOX_CAPACITY,
        [ERR_UNAVAILABLE] = OUTCOME_SANDBOX_FAILED,
        [ERR_CAPACITY] = OUTCOME_SANDBOX_CAPACITY,
        [ERR_PROTOCOL] = OUTCOME_SANDBOX_FAILED,
        [ERR_GONE] = OUTCOME_SANDBOX_LOST,
        [ERR_IO] = OUTCOME_SANDBOX_FAILED,
        [ERR_CANCELLED] = OUTCOME_CANCELLED,
        [ERR_CONFIG] = OUTCOME_INTERNAL,
        [ERR_NOMEM] = OUTCOME_INTERNAL,
        [ERR_INTERNAL] = OUTCOME_INTERNAL,
    };

    return of[e->code];
}

/* --- what is done about it -------------------------------------------------- */

/* A hold is nobody's failure and counts nowhere; it lasts longer from attempt to attempt. */
static int64_t tries(enum outcome o, const struct outcome_case *c, bool counted)
{
    if (rows[o].next == NEXT_HOLD)
        return c->attempt - 1;
    return counted ? c->failures : c->uncounted;
}

static int64_t backoff_ms(enum outcome o, const struct outcome_case *c, int64_t n, uint32_t random)
{
    /* An attempt costs more than a call: half of the wait is certain, half by chance. */
    struct backoff half = {.base_ms = rows[o].base_ms / 2,
                           .cap_ms = rows[o].cap_ms / 2,
                           .tries = n > 30 ? 30 : (unsigned)n};
    int64_t own = backoff_delay_ms(&half, UINT32_MAX) + backoff_delay_ms(&half, random);

    if (c->hold_ms <= 0)
        return own;
    if (rows[o].next == NEXT_HOLD)
        return c->hold_ms + random % 1000; /* not all of them in the same millisecond */
    return c->hold_ms > own ? c->hold_ms : own;
}

static int64_t credential_ms(enum outcome o, const struct outcome_case *c)
{
    switch (rows[o].credential) {
    case CREDENTIAL_KEEP:
        break;
    case CREDENTIAL_LIMIT:
        return c->hold_ms > 0 ? c->hold_ms : OUTCOME_LIMIT_MS;
    case CREDENTIAL_ALERT:
        return OUTCOME_ALERT_MS;
    }
    return 0;
}

static enum outcome_next next_in(enum outcome o, const struct outcome_case *c)
{
    if (rows[o].next == NEXT_OTHER)
        return c->pooled ? NEXT_WAIT : NEXT_END;
    return rows[o].next;
}

struct outcome_plan outcome_plan(enum outcome o, const struct outcome_case *c, uint32_t random)
{
    enum outcome_next next = next_in(o, c);
    bool waited = next == NEXT_WAIT && c->uncounted < OUTCOME_UNCOUNTED_MAX;
    bool counted = next != NEXT_HOLD && !waited;
    struct outcome_plan p = {.counted = counted,
                             .credential_ms = credential_ms(o, c),
                             .alert = rows[o].credential == CREDENTIAL_ALERT};

    if (next == NEXT_END || (counted && c->failures + 1 >= c->max_attempts))
        return p;
    p.retry = true;
    p.failures = next == NEXT_ONCE ? c->max_attempts - 1 : c->failures + counted;
    p.uncounted = c->uncounted + waited;
    if (p.credential_ms > 0)
        p.delay_ms = (c->pooled ? 0 : p.credential_ms) + random % 1000;
    else
        p.delay_ms = backoff_ms(o, c, tries(o, c, counted), random);
    return p;
}

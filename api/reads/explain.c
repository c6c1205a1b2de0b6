/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/explain.h"

#include <string.h>

#include "common/attrs.h"
#include "common/banned.h"

#define AGAIN "It is tried again after a pause; nothing needs to be done."
#define LATER "Nothing needs to be done; it is asked again every few seconds."
#define LOOK  "Look at its log; a retry makes a new run of the same request."

// clang-format off
const struct explain_word explain_words[] = {
    /* what only waits */
    {"scheduled", "It is not to start before its not_before.", NULL, NULL, NULL},
    {"fleet_full", "The fleet runs as much at once as its limit allows.",
     "Nothing needs to be done. An operator may raise the fleet's concurrency (limits).", NULL, NULL},
    {"starts_per_minute", "The fleet started as many runs within a minute as its limit allows.",
     "Nothing needs to be done. An operator may raise starts_per_minute (limits).", NULL, NULL},
    {"tenant_limit", "As many of the tenant's runs are under way as its limit allows.",
     "Nothing needs to be done. An operator may raise the tenant's concurrency (limits).", NULL, NULL},
    {"credential_limit", "As many runs as its credential may have are under way.",
     "Nothing needs to be done. An operator may raise the credential's concurrency (limits), or put more credentials into a pool.", NULL, NULL},
    {"no_slot", "All workers are busy.", "Nothing needs to be done. More workers take more at once.", NULL, NULL},
    {"no_worker", "No worker is alive that could take it.", "Start a worker; an operator sees them in workers.", NULL, NULL},
    {"disabled", "Its credential was disabled.", "Enable it (cred enable), or cancel the run and name another one.", NULL, NULL},
    {"no_master_key", "No worker that is alive has the master key that opens its credential.",
     "An operator has to give that key to the workers (--master-key-file); cred list tells which one.", NULL, NULL},
    {"unreadable", "A worker of another version could not read its claim, and leaves it to one that can.",
     "Bring all workers to one version.", NULL, NULL},
    {"unspecified", "It waits for a reason that was not told.", NULL, NULL, NULL},
    /* outcomes */
    {"success", NULL, NULL, "It ended well.", NULL},
    {"agent_error", NULL, NULL, "The agent ended with an error of its own.", LOOK},
    {"max_turns", NULL, NULL, "The agent had used all the turns that max_turns allows.", "Ask for less, or allow more turns."},
    {"budget", NULL, NULL, "The agent had spent what max_budget_usd allows.", "Ask for less, or allow more."},
    {"refusal", NULL, NULL, "The model refused to answer.", "Ask in another way; the same prompt is likely to be refused again."},
    {"context_limit", NULL, NULL, "Prompt or conversation was too long for the model.", "Shorten the prompt, or begin a new session."},
    {"invalid_request", NULL, NULL, "The model's service or the command refused what it was given: a model, an argument, a session.",
     "Its reason and its log say what; mend the request and submit it anew."},
    {"billing", "Its credential's account has no credit; no run gets that credential for now.",
     "An operator has to look at the account. A pool with other credentials would go on at once.",
     "Its credential's account has no credit.", "An operator has to look at the account; then retry, or name another credential."},
    {"auth", "Its credential was refused; no run gets it for now.",
     "An operator has to renew it (cred rotate). A pool with other credentials would go on at once.",
     "Its credential was refused.", "An operator has to renew it (cred rotate); then retry, or name another one."},
    {"timed_out", NULL, NULL, "It took longer than its timeout_s.", "Ask for less, or allow more time."},
    {"cancelled", NULL, NULL, "Somebody asked for its end.", "A retry makes a new run of the same request."},
    {"interrupted", NULL, NULL, "It was interrupted: a later run of its session went first, or a signal came that the fleet did not send.",
     "Its conversation is kept: go on in the same session."},
    {"expired", NULL, NULL, "It had not started by its expires_at.", "Submit it anew with a later expires_at, or without one."},
    {"invalid", NULL, NULL, "Its request cannot be run.", "Its reason says why; mend the request and submit it anew."},
    {"template_unknown", NULL, NULL, "The sandbox service has no such template.", "Name another template, or have it built."},
    {"credential_not_found", NULL, NULL, "No worker has a credential or a pool of that name.", "Name another one, or add it (cred add)."},
    {"credential_unreadable", "Its credential's sealed secret does not open; no run gets that credential for now.",
     "An operator has to seal the secret anew (cred rotate). A pool with other credentials would go on at once.",
     "Its credential's sealed secret does not open.", "An operator has to seal it anew (cred rotate); then retry, or name another one."},
    {"credential_not_proxied", "Its credential must not enter a sandbox, and the sandbox service does not add it outside.",
     "An operator has to allow network rules there, or to run workers with --credential-mode prefer; then cred enable.",
     "Its credential must not enter a sandbox, and the sandbox service did not add it outside.", "An operator has to allow network rules there; then retry."},
    {"session_lost", NULL, NULL, "The session's conversation is gone: neither its sandbox nor a transcript is left.",
     "Delete the session, or use a new one: that begins a new conversation."},
    {"session_busy", "An earlier run of its session is under way; they go one at a time.", "Nothing needs to be done.",
     "Its session had a run under way, and on_busy was reject.", "Submit it again when that one has ended, or with on_busy enqueue."},
    {"log_ceiling", NULL, NULL, "The agent printed more than 100 MB.", "Have it print less."},
    {"usage_limit", "It waits until its credential's usage limit begins anew.",
     "Nothing needs to be done. A pool of credentials would go on at once.",
     "Its credential's usage limit was used up.", "Retry it when the limit begins anew, or name a pool of credentials."},
    {"sandbox_capacity", "The sandbox service has no sandbox to give.", LATER,
     "The sandbox service had no sandbox to give.", LOOK},
    {"sandbox_service_down", "The sandbox service does not answer.", LATER " An operator should look at it if this stays.",
     "The sandbox service did not answer.", LOOK},
    {"overloaded", "The model's service was overloaded.", AGAIN, "The model's service stayed overloaded.", "Retry it later."},
    {"rate_limited", "The model's service took no more requests.", AGAIN, "The model's service kept refusing requests.",
     "Retry it later, or run fewer at once with its credential (limits)."},
    {"api_error", "The model's service failed.", AGAIN, "The model's service kept failing.", "Retry it later."},
    {"workspace_failed", "Its files, archive or repository could not be brought into the sandbox.", AGAIN,
     "Its files, archive or repository could not be brought into the sandbox.", "Its reason says which; see that it can be fetched, and retry."},
    {"sandbox_failed", "Its sandbox could not be made or used.", AGAIN, "No sandbox could be made or used.", LOOK},
    {"sandbox_lost", "Its sandbox was gone.", AGAIN, "Its sandboxes were gone again and again.", LOOK},
    {"stream_lost", "The agent's output could not be followed.", AGAIN, "The agent's output could not be followed.", LOOK},
    {"no_result", "The agent ended without a result.", AGAIN, "The agent ended without a result.", LOOK},
    {"stalled", "The agent was stuck, and was ended.", AGAIN, "The agent was stuck twice, and was ended.", LOOK},
    {"agent_missing", NULL, NULL, "The template has no claude command.", "Name another template, or put the command into it."},
    {"internal", "The fleet itself failed.", AGAIN, "The fleet itself failed.", "The workers' logs have it under the run's id; retry it when that is mended."},
};

/* Where no word is stored, the state speaks. */
static const struct {
    const char *state, *summary, *advice;
} states[] = {
    {"queued", "It waits for its turn.", "Nothing needs to be done."},
    {"held", "It waits.", NULL},
    {"starting", "It gets a sandbox.", NULL},
    {"running", "Its agent is at work.", NULL},
    {"retrying", "Its last attempt failed; it is tried again after a pause.", NULL},
    {"cancelling", "It was asked to end, and is about to.", NULL},
    {"completed", "It ended well.", NULL},
    {"failed", "It failed.", LOOK},
    {"timed_out", "It took longer than its timeout_s.", "Ask for less, or allow more time."},
    {"cancelled", "Somebody asked for its end.", NULL},
    {"expired", "It had not started by its expires_at.", NULL},
};
// clang-format on
const size_t explain_words_n = COUNTOF(explain_words);

const struct explain_word *explain_find(const char *code)
{
    for (size_t i = 0; code && i < explain_words_n; i++)
        if (strcmp(explain_words[i].code, code) == 0)
            return &explain_words[i];
    return NULL;
}

static void by_state(const char *state, struct explanation *out)
{
    *out = (struct explanation){.code = state, .summary = "It is in a state that we do not know."};
    for (size_t i = 0; i < COUNTOF(states); i++)
        if (strcmp(states[i].state, state) == 0)
            *out = (struct explanation){state, states[i].summary, states[i].advice};
}

/* False: the word has no such sentence, or is a newer program's; what is there says the state. */
static bool by_word(const char *code, bool ended, struct explanation *out)
{
    const struct explain_word *w = explain_find(code);
    const char *summary = w ? ended ? w->ends : w->waits : NULL;

    if (!summary)
        return false;
    *out = (struct explanation){code, summary, ended ? w->ends_advice : w->waits_advice};
    return true;
}

static bool wants_room(const char *reason)
{
    static const char *const words[] = {"no_slot", "fleet_full", "starts_per_minute"};

    for (size_t i = 0; reason && i < COUNTOF(words); i++)
        if (strcmp(words[i], reason) == 0)
            return true;
    return !reason;
}

static bool waits(const char *state)
{
    static const char *const words[] = {"queued", "held", "retrying"};

    for (size_t i = 0; i < COUNTOF(words); i++)
        if (strcmp(words[i], state) == 0)
            return true;
    return false;
}

static void explain_waiting(const struct explain_case *c, struct explanation *out)
{
    if (c->cancel_asked)
        by_state("cancelling", out);
    else if (c->refused && !c->claimed)
        *out = (struct explanation){"refused", "A worker refused its request for good.",
                                    "Mend the request and submit it anew."};
    else if (!c->workers && wants_room(c->hold_reason))
        (void)by_word("no_worker", false, out);
    else if (!by_word(c->hold_reason, false, out))
        by_state(c->state, out);
    if (c->hold_reason && strcmp(out->code, c->state) == 0)
        out->code = c->hold_reason; /* a word of a newer program's: told, not explained */
}

void explain(const struct explain_case *c, struct explanation *out)
{
    if (c->ended) {
        by_state(c->state, out);
        if (c->outcome && !by_word(c->outcome, true, out))
            out->code = c->outcome;
    } else if (waits(c->state)) {
        explain_waiting(c, out);
    } else {
        by_state(c->cancel_asked ? "cancelling" : c->state, out);
    }
}

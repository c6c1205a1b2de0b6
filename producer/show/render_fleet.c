/* SPDX-License-Identifier: Apache-2.0 */
/* What the fleet did with a run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "common/banned.h"

/* --- waiting ------------------------------------------------------------------- */

/* Why a run waits, for people; a reason without a row is told as it is called. */
static const char *why(const char *reason)
{
    static const char *const rows[][2] = {
        {"scheduled", "it is not to start before its time"},
        {"session_busy", "its session has an earlier run"},
        {"fleet_full", "the fleet runs as many as it may"},
        {"starts_per_minute", "the fleet starts as many a minute as it may"},
        {"tenant_limit", "its tenant runs as many as it may"},
        {"credential_limit", "its credential runs as many as it may"},
        {"no_slot", "no worker has a free slot"},
        {"usage_limit", "the credential's usage limit is reached"},
        {"sandbox_capacity", "the sandbox service has no room"},
        {"sandbox_service_down", "the sandbox service is away"},
        {"auth", "the credential was refused"},
        {"billing", "the account of the credential was refused"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (strcmp(rows[i][0], reason) == 0)
            return rows[i][1];
    return NULL;
}

void render_held(const struct telling *t)
{
    const char *reason = render_word(t->data, "reason", "?"), *words = why(reason);
    const char *until = json_get_string(t->data, "until");

    render_doing(t->r, "waiting", t->r->now_ms);
    if (strcmp(t->r->held, reason) == 0 && !until)
        return;
    render_copy(t->r->held, sizeof(t->r->held), reason);
    render_note(t, "waiting: %s%s%s%s%s%s", words ? words : reason, words ? " (" : "",
                words ? reason : "", words ? ")" : "", until ? ", until " : "", until ? until : "");
}

void render_retrying(const struct telling *t)
{
    const char *reason = json_get_string(t->data, "reason");
    char wait[CLOCK_TEXT];
    bool counted = true;

    json_get_bool(t->data, "counted", &counted);
    render_doing(t->r, "waiting for the next attempt", t->r->now_ms);
    render_complaint(t, "attempt %" PRId64 " failed: %s%s%s; the next one in %s%s",
                     t->v->event.attempt, render_word(t->data, "outcome", "?"), reason ? ", " : "",
                     reason ? reason : "", clock_duration(render_int(t->data, "delay_ms"), wait),
                     counted ? "" : " (this one does not count)");
}

void render_credential(const struct telling *t)
{
    bool alert = false;

    json_get_bool(t->data, "alert", &alert);
    (alert ? render_complaint : render_note)(
        t, "credential %s is held until %s: %s", render_word(t->data, "credential", "?"),
        render_word(t->data, "until", "?"), render_word(t->data, "outcome", "?"));
}

/* --- under way ----------------------------------------------------------------- */

void render_starting(const struct telling *t)
{
    t->r->held[0] = '\0';
    render_doing(t->r, "getting a sandbox", t->r->now_ms);
    render_note(t, "attempt %" PRId64 " on worker %s", t->v->event.attempt,
                render_word(t->data, "worker", "?"));
}

void render_started(const struct telling *t)
{
    const char *from = json_get_string(t->data, "resumed_from");

    render_doing(t->r, "starting claude", t->r->now_ms);
    if (from)
        render_note(t, "goes on with the session's conversation, from its %s", from);
}

void render_resumed(const struct telling *t)
{
    render_note(t, "worker %s took over at line %" PRId64 "; nothing was run twice",
                render_word(t->data, "worker", "?"), render_int(t->data, "line"));
}

void render_sandbox(const struct telling *t)
{
    enum event_type type = t->v->event.type;
    const char *id = render_word(t->data, "sandbox_id", "?");

    if (type == EVENT_SANDBOX_CREATED)
        render_note(t, "sandbox %s, template %s", id, render_word(t->data, "template", "?"));
    else if (type == EVENT_SANDBOX_LOST)
        render_complaint(t, "sandbox %s is lost", id);
    else if (type == EVENT_SANDBOX_EVICTED)
        render_note(t, "sandbox %s, which was %s, was ended to make room", id,
                    render_word(t->data, "was", "idle"));
    else if (type == EVENT_SANDBOX_PARKED)
        render_note(t, "sandbox %s is kept for the session's next run", id);
}

static void tell_long(const struct telling *t)
{
    double cost = 0;
    char run[CLOCK_TEXT], usd[RENDER_NUMBER];

    json_get_number(t->data, "cost_usd", &cost);
    render_note(t, "still running after %s, %s so far",
                clock_duration(1000 * render_int(t->data, "elapsed_s"), run),
                render_cost(cost, usd));
}

void render_warning(const struct telling *t)
{
    const char *reason = json_get_string(t->data, "reason");
    const char *detail = json_get_string(t->data, "detail");

    if (!reason)
        return tell_long(t);
    if (!detail)
        detail = json_get_string(t->data, "message");
    if (strcmp(reason, "artifact_not_stored") == 0)
        render_complaint(t, "artifact %s could not be kept: %s",
                         render_word(t->data, "artifact", "?"), detail ? detail : "?");
    else if (strcmp(reason, "transcript_not_kept") == 0)
        render_complaint(t, "the conversation could not be kept outside of its sandbox: %s",
                         detail ? detail : "?");
    else
        render_complaint(t, "%s%s%s", reason, detail ? ": " : "", detail ? detail : "");
}

void render_heartbeat(const struct telling *t)
{
    t->r->dirty = true; /* the next picture tells the time */
}

void render_cancelling(const struct telling *t)
{
    const char *by = json_get_string(t->data, "requested_by");
    const char *run = json_get_string(t->data, "interrupted_by");
    bool force = false;

    json_get_bool(t->data, "force", &force);
    render_doing(t->r, "ending", t->r->now_ms);
    render_note(t, "is being cancelled%s%s%s",
                run  ? " for run "
                : by ? " by "
                     : "",
                run  ? run
                : by ? by
                     : "",
                force ? ", by force" : "");
}

void render_artifact(const struct telling *t)
{
    char size[RENDER_NUMBER];

    render_note(t, "kept %s (%s)", render_word(t->data, "name", "?"),
                render_bytes(render_int(t->data, "bytes"), size));
}

/* --- the end ------------------------------------------------------------------- */

static void put_artifacts(const struct telling *t, const cJSON *artifacts)
{
    const cJSON *a;
    char size[RENDER_NUMBER];

    cJSON_ArrayForEach(a, artifacts)
    {
        struct para p = {.indent = 2, .paint = PAINT_DIM, .cut = false};
        AUTO_BUF line = BUF_INIT(8192);

        buf_addf(&line, "%s  %s  %s", render_word(a, "name", "?"),
                 render_bytes(render_int(a, "bytes"), size), render_word(a, "location", ""));
        render_para(t, &p, str_trim(buf_str(&line)));
    }
}

static void add_plural(struct buf *b, int64_t n, const char *what)
{
    char text[RENDER_NUMBER];

    buf_addf(b, ", %s %s%s", render_count(n, text), what, n == 1 ? "" : "s");
}

/* ": why in 1m04s, $0.0123 (simulated), 10 tokens in, 20 out, 14 lines, 2 attempts, 1 artifact" */
static void sum_up(const struct telling *t, bool good, struct buf *b)
{
    const cJSON *data = t->data;
    const char *reason = json_get_string(data, "reason");
    double cost = 0;
    char took[CLOCK_TEXT], usd[RENDER_NUMBER], in[RENDER_NUMBER], out[RENDER_NUMBER];
    int64_t attempts = render_int(data, "attempts");
    int artifacts = cJSON_GetArraySize(json_get(data, "artifacts"));

    json_get_number(data, "cost_usd", &cost);
    if (!good)
        buf_addf(b, " (%s)%s%s", render_word(data, "outcome", "?"), reason ? ": " : "",
                 reason ? reason : "");
    buf_addf(b, "%s in %s, %s%s, %s tokens in, %s out", good || !reason ? "" : ";",
             clock_duration(render_int(data, "duration_ms"), took), render_cost(cost, usd),
             t->r->simulated ? " (simulated)" : "",
             render_count(render_int(data, "input_tokens"), in),
             render_count(render_int(data, "output_tokens"), out));
    add_plural(b, t->r->lines, "line");
    if (attempts > 1)
        add_plural(b, attempts, "attempt");
    if (artifacts > 0)
        add_plural(b, artifacts, "artifact");
}

void render_end(const struct telling *t)
{
    struct render *r = t->r;
    bool good = t->v->event.type == EVENT_RUN_COMPLETED;
    enum paint paint = good ? PAINT_GREEN_BOLD : PAINT_RED_BOLD;
    struct para p = {.mark =
                         good ? render_glyph(r, "✔ ", "ok: ") : render_glyph(r, "✘ ", "not ok: "),
                     .mark_paint = paint,
                     .lead = event_type_name(t->v->event.type) + sizeof("sandfleet.run.") - 1};
    AUTO_BUF line = BUF_INIT(4096);

    r->ended = true;
    r->end = t->v->event.type;
    r->doing[0] = '\0';
    r->dirty = true;
    sum_up(t, good, &line);
    if (r->kind != RENDER_NOTHING)
        buf_addc(t->out, '\n');
    render_para(t, &p, buf_str(&line));
    put_artifacts(t, json_get(t->data, "artifacts"));
    r->kind = RENDER_NOTE;
}

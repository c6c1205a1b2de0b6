/* SPDX-License-Identifier: Apache-2.0 */
/* A session's conversation around a run: into the sandbox that does not have it, before the
 * start (PLACING); out of the one that has it, once the agent ended and before the sandbox is
 * given up (RELEASING, PARKING). Stored first, in the ledger second. */
#include "common/fault.h"
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "worker/session/session_row.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 1024 };

static struct carry_store carry_store(const struct run *r)
{
    const struct run_host *h = r->host;

    return (struct carry_store){
        .loop = h->loop, .store = h->store, .redactor = h->redactor, .seal = h->store_key};
}

/* --- in ---------------------------------------------------------------------- */

/* A conversation that cannot be had any more: to begin another one in its name would look
 * like an answer, and be none. */
static void lost(struct run *r, const char *why)
{
    run_end_with(r, OUTCOME_SESSION_LOST, why, 0);
    run_apply(r, RUN_EV_ENDED);
}

static void on_brought(void *ctx, const struct carry_done *d, const struct err *e)
{
    struct run *r = ctx;

    r->carry = NULL;
    if (e->code == ERR_OK) {
        buf_release(&r->transcript);
        r->transcript = *d->text;
        *d->text = BUF_INIT(0);
        run_apply(r, RUN_EV_SAVED);
        return;
    }
    log_event(LOG_WARN, "transcript.not_read", LF("run", r->claim.run_id),
              LF("key", r->place.talk.transcript), LF_ERR(e));
    if (e->code == ERR_NOT_FOUND || e->code == ERR_INVALID) {
        lost(r, e->msg);
        return;
    }
    run_end_with(r, OUTCOME_INTERNAL, e->msg, 0);
    run_apply(r, RUN_EV_ENDED);
}

/* What is at work already has its conversation. */
static bool has_conversation(const struct run *r)
{
    return r->place.claude_session[0] || !r->place.talk.claude_session[0] || r->claim.started;
}

void run_bring(struct run *r)
{
    const struct sandbox_talk *t = &r->place.talk;
    struct carry_store s = carry_store(r);
    struct err err = ERR_INIT;

    if (has_conversation(r)) {
        run_apply(r, RUN_EV_SAVED);
        return;
    }
    if (!t->transcript[0]) {
        lost(r, "its sandbox is gone, and there is no transcript");
        return;
    }
    if (!s.store)
        (void)err_set(&err, ERR_CONFIG, "this worker has no store: set --store");
    if (err.code != ERR_OK ||
        carry_in(&s, t->transcript, t->sha256, on_brought, r, &r->carry, &err) != ERR_OK)
        on_brought(r, NULL, &err);
}

const char *run_conversation(const struct run *r)
{
    const char *talk =
        r->place.claude_session[0] ? r->place.claude_session : r->place.talk.claude_session;

    return talk[0] ? talk : NULL;
}

/* --- out --------------------------------------------------------------------- */

static void on_kept(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    r->op = NULL;
    fault_pass("transcript", "kept");
    if (held)
        run_park(r);
    else
        run_saved(r, held, e);
}

static void keep(struct run *r, const struct session_end *e)
{
    r->op = session_row_kept(r->host->ledger, run_who(r), e, on_kept, r);
    if (!r->op)
        run_depose(r);
}

static void say_not_kept(struct run *r, const struct err *e)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    log_event(LOG_WARN, "transcript.not_kept", LF("run", r->claim.run_id),
              LF("session", r->request.session_id), LF_ERR(e),
              LF("next", "the session can be resumed in its sandbox only"));
    if (!r->host->may_publish(r->host->ctx))
        return;
    buf_addc(&data, '{');
    json_kv(&data, "reason", "transcript_not_kept");
    json_kv(&data, "detail", e->msg);
    buf_addc(&data, '}');
    run_say(r, EVENT_RUN_WARNING, &data);
}

static void on_carried(void *ctx, const struct carry_done *d, const struct err *e)
{
    struct run *r = ctx;
    struct session_end end = {.claude_session = r->stream.session_id};
    char key[STORE_KEY_MAX + 1];

    r->carry = NULL;
    fault_pass("transcript", "stored");
    if (e->code == ERR_OK) {
        run_transcript_key(r, key);
        end.transcript = key;
        end.bytes = d->bytes;
        end.sha256 = d->sha256;
        log_event(LOG_INFO, "transcript.kept", LF("run", r->claim.run_id),
                  LF("session", r->request.session_id), LF_INT("bytes", d->bytes));
    } else {
        say_not_kept(r, e);
    }
    keep(r, &end);
}

static void on_storing(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;
    struct carry_store s = carry_store(r);
    struct carry_from from = {.sb = r->sandbox,
                              .run_id = r->claim.run_id,
                              .attempt = r->claim.attempt,
                              .claude_session = r->stream.session_id};
    struct err err = ERR_INIT;
    char key[STORE_KEY_MAX + 1];

    fault_pass("transcript", "owned");
    if (!held) {
        run_saved(r, held, e);
        return;
    }
    r->op = NULL;
    run_transcript_key(r, key);
    if (carry_out(&s, &from, key, on_carried, r, &r->carry, &err) != ERR_OK)
        on_carried(r, NULL, &err);
}

void run_transcript_key(const struct run *r, char out[STORE_KEY_MAX + 1])
{
    transcript_key(&(struct transcript_name){.tenant = r->request.tenant,
                                             .session_id = r->request.session_id,
                                             .run_id = r->claim.run_id,
                                             .attempt = r->claim.attempt,
                                             .epoch = r->claim.epoch},
                   out);
}

/* It spoke, and in a sandbox that is there. Else how it ended makes no difference. */
static bool spoke(const struct run *r)
{
    return r->request.session_id && r->sandbox && uuid_valid(str_of(r->stream.session_id)) &&
           !r->stream.no_conversation && r->end.outcome != OUTCOME_SANDBOX_LOST && !r->cancel.force;
}

void run_carry(struct run *r)
{
    struct session_end end = {.claude_session = r->stream.session_id};
    char key[STORE_KEY_MAX + 1];

    if (!spoke(r)) {
        run_park(r);
        return;
    }
    if (!r->host->store) {
        keep(r, &end);
        return;
    }
    run_transcript_key(r, key);
    r->op = session_row_storing(r->host->ledger, run_who(r), key, on_storing, r);
    if (!r->op)
        run_depose(r);
}

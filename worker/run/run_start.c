/* SPDX-License-Identifier: Apache-2.0 */
/* The run's own two ends of getting started: CLAIMED and STARTING. */
#include "common/log.h"
#include "worker/run/attempt_facts.h"
#include "worker/run/claude_args.h"
#include "worker/run/credential.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 8192, TAKEOVERS_MAX = 20 /* of a run, in all */ };

/* --- claimed ----------------------------------------------------------------- */

static bool refuse(struct run *r, enum outcome o, const char *reason)
{
    run_end_with(r, o, reason, 0);
    r->refused = true;
    return true;
}

/* Does it end without an agent? A run that took its workers down with it, again and again,
 * does: its takings were counted before the work began (ledger_sql_take_over). Each taking
 * raises the epoch, and each that begins an attempt the attempt, too: the rest are take-overs, but
 * for those that only told why it waits. */
static bool refused(struct run *r)
{
    const struct run_request *q = &r->request;
    struct err err = ERR_INIT;

    if (!r->claim.started && r->claim.expired)
        return refuse(r, OUTCOME_EXPIRED, "expires_at has passed");
    if (!r->claim.credential)
        return refuse(r, OUTCOME_CREDENTIAL_NOT_FOUND, "this fleet has no such credential");
    if (credential_learn(r->claim.credential, r->host->keys, r->host->redactor, NULL, &err) !=
        ERR_OK)
        return refuse(r, err.code == ERR_NOMEM ? OUTCOME_INTERNAL : OUTCOME_CREDENTIAL_UNREADABLE,
                      err.msg);
    if (run_exposed(r))
        return refuse(r, OUTCOME_CREDENTIAL_NOT_PROXIED, run_exposed(r));
    if (r->claim.failures >= q->max_attempts)
        return refuse(r, OUTCOME_INTERNAL, "worker_lost: no worker got as far as its start");
    if (r->claim.epoch - r->claim.attempt - r->claim.tellings > TAKEOVERS_MAX)
        return refuse(r, OUTCOME_INTERNAL, "worker_lost: too many workers were lost under it");
    return false;
}

static void say_starting(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv(&data, "worker", r->host->worker_id);
    if (r->resumed) {
        json_kv_int(&data, "line", r->claim.log_line);
    } else {
        json_kv(&data, "lane", run_lane_name(r->claim.lane));
        json_kv(&data, "template", r->request.template);
        json_kv(&data, "model", r->request.model);
        json_kv(&data, "credential", r->claim.credential->name);
    }
    buf_addc(&data, '}');
    run_say(r, r->resumed ? EVENT_RUN_RESUMED : EVENT_ATTEMPT_STARTING, &data);
}

void run_enter_claimed(struct run *r)
{
    if (refused(r)) {
        run_apply(r, RUN_EV_REFUSED);
        return;
    }
    say_starting(r);
    run_apply(r, RUN_EV_GO);
}

/* --- starting ---------------------------------------------------------------- */

static void keep_facts(struct run *r, const struct claude_args *a)
{
    buf_clear(&r->facts);
    buf_addc(&r->facts, '{');
    attempt_facts_write(&r->request, a, &r->facts);
    buf_addc(&r->facts, '}');
    if (r->facts.rc == ERR_OK)
        return;
    log_event(LOG_WARN, "attempt.facts_lost", LF("run", r->claim.run_id),
              LF("why", err_name(r->facts.rc)));
    buf_clear(&r->facts);
}

static enum err_code start_capture(struct run *r, struct err *err)
{
    const struct run_host *h = r->host;
    const struct claim_credential *c = r->claim.credential;
    struct claude_want want = {.request = &r->request,
                               .attempt = r->claim.attempt,
                               .resume = run_conversation(r),
                               .base_url = run_base_url(r),
                               .stand_in =
                                   r->mode == RUN_MODE_PROXY ? credential_variable(c->kind) : NULL};
    AUTO(claude_args_release) struct claude_args a = {0};
    enum err_code rc = claude_args_make(&want, &a, err);
    struct secret *plain = NULL;
    char fresh[UUID_TEXT];

    claude_session_id(r->claim.run_id, r->claim.attempt, fresh);
    if (rc == ERR_OK && r->mode == RUN_MODE_FD)
        rc = credential_learn(c, h->keys, h->redactor, &plain, err);
    if (rc != ERR_OK)
        return rc;
    keep_facts(r, &a);

    /* Always from the file's beginning: what earlier lines told (cost, verdict, tail) is
     * not in the ledger. Lines that were published are read, but not published again. */
    struct capture_spec spec = {.run_id = r->claim.run_id,
                                .attempt = r->claim.attempt,
                                .prompt = str_of(r->request.prompt),
                                .args = (const char *const *)a.args,
                                .env = (const char *const *)a.env,
                                .credential_env = credential_descriptor(c->kind),
                                .credential = plain,
                                .proxied = r->mode == RUN_MODE_PROXY,
                                .claude_session = want.resume ? want.resume : fresh,
                                .transcript = buf_str(&r->transcript),
                                .working_dir = r->request.working_dir,
                                .timeout_s = r->request.timeout_s,
                                .resume = r->reattach};
    rc = capture_start(r->sandbox, &spec, &run_capture_events, r, &r->capture, err);
    secret_free(plain); /* the capture has a copy, until the upload is done */
    return rc;
}

bool run_follow(struct run *r)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    run_stream_reset(r);
    rc = start_capture(r, &err);
    if (rc != ERR_OK)
        run_end_with(r, outcome_of_error(&err), err.msg, 0);
    r->reattach = true;
    return rc == ERR_OK;
}

void run_enter_starting(struct run *r)
{
    if (!run_inject(r) && !run_follow(r))
        run_apply(r, RUN_EV_ENDED);
}

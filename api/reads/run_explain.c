/* SPDX-License-Identifier: Apache-2.0 */
/* Why a run waits, or how it ended: from what the tables have about it. */
#include "api/api_internal.h"

#include <string.h>

#include "api/reads/explain.h"
#include "api/reads/reads.h"
#include "api/reads/sql.h"
#include "common/json/json.h"
#include "common/banned.h"

enum { SENTENCE_MAX = 16 << 10 };

enum column {
    COL_STATE,
    COL_OUTCOME,
    COL_REASON,
    COL_HOLD,
    COL_ENDED,
    COL_CLAIMED,
    COL_CANCEL,
    COL_WORKERS,
    COL_REFUSED,
    COL_REFUSED_DETAIL,
    COL_ATTEMPT,
    COL_SINCE,
    COL_UNTIL,
    COL_HISTORY
};

/* The newest words of the fleet's about the run, the oldest of them first. */
// clang-format off
#define KINDS                                                                                      \
    "('sandfleet.run.held', 'held'), ('sandfleet.run.retrying', 'retrying'),"                      \
    " ('sandfleet.attempt.ended', 'attempt_ended'), ('sandfleet.run.resumed', 'resumed'),"         \
    " ('sandfleet.run.cancelling', 'cancelling'), ('sandfleet.run.warning', 'warning'),"           \
    " ('sandfleet.run.completed', 'ended'), ('sandfleet.run.failed', 'ended'),"                    \
    " ('sandfleet.run.timed_out', 'ended'), ('sandfleet.run.cancelled', 'ended'),"                 \
    " ('sandfleet.run.expired', 'ended')"

#define HISTORY                                                                                    \
    "SELECT coalesce(json_agg(row_to_json(j) ORDER BY j.sequence), '[]') FROM"               \
    " (SELECT e.sequence, " SQL_TIME("e.time") " AS at, e.kind,"                                   \
    " CASE WHEN e.kind = 'held' THEN e.data ->> 'reason' ELSE e.data ->> 'outcome' END AS code,"   \
    " CASE e.kind WHEN 'held' THEN NULL WHEN 'cancelling' THEN coalesce(e.data ->> 'requested_by',"\
    " e.data ->> 'interrupted_by') ELSE e.data ->> 'reason' END AS detail, e.attempt, "            \
    SQL_TIME("coalesce(fleet.as_time(e.data ->> 'until'),"                                         \
             " CASE WHEN e.kind = 'retrying' THEN e.time + interval '1 ms'"                        \
             " * fleet.as_number(e.data -> 'delay_ms') END)") " AS until FROM"                     \
    " (SELECT e.sequence, e.time, k.kind, e.attempt, fleet.as_jsonb(e.data) AS data"               \
    " FROM fleet.events AS e JOIN (VALUES " KINDS ") AS k(type, kind) USING (type)"                \
    " WHERE e.run_id = r.run_id AND e.run_day = r.run_day AND e.line IS NULL"                      \
    " ORDER BY e.sequence DESC LIMIT 100) AS e) AS j"

/* The letter of a request that never became a run: whoever refused it kept its key. */
#define LETTER                                                                                     \
    "SELECT q.reason, q.detail FROM fleet.quarantine AS q WHERE NOT r.ended AND r.sequence = 0"    \
    " AND c.run_id IS NULL AND q.key IN (convert_to(r.run_id::text, 'UTF8'),"                      \
    " convert_to(r.session_id, 'UTF8'))"                                                           \
    " AND position(convert_to(r.run_id::text, 'UTF8') IN q.value) > 0 ORDER BY q.at DESC LIMIT 1"

static const char sql[] =
    "SELECT r.state, r.outcome, r.reason, CASE WHEN c.state = 'waiting'"
    " THEN coalesce(c.hold_reason, r.hold_reason) ELSE r.hold_reason END, r.ended,"
    " c.run_id IS NOT NULL, EXISTS (SELECT FROM ledger.cancellations AS x WHERE x.tenant = r.tenant"
    " AND x.run_id = r.run_id) OR EXISTS (SELECT FROM ledger.cancellations AS x"
    " WHERE x.tenant = r.tenant AND x.batch_id = r.batch_id),"
    " EXISTS (SELECT FROM ledger.workers WHERE beat_at > now() - interval '30 s'),"
    " q.reason, q.detail, r.attempt, "
    SQL_TIME("CASE WHEN r.ended THEN r.ended_at WHEN r.state = 'queued' THEN r.created_at"
             " ELSE r.last_event_at END") ", "
    SQL_TIME("CASE WHEN r.ended OR NOT isfinite(h.until) OR h.until <= now() THEN NULL"
             " ELSE h.until END") ", (" HISTORY ")"
    " FROM door.runs AS r LEFT JOIN ledger.claims AS c ON c.run_id = r.run_id"
    " AND c.tenant = r.tenant LEFT JOIN LATERAL (" LETTER ") AS q ON true"
    " CROSS JOIN LATERAL (SELECT CASE WHEN c.state = 'waiting' AND c.hold_until > now()"
    " THEN c.hold_until ELSE r.hold_until END AS until) AS h"
    " WHERE r.run_id = $1 AND r.tenant = $2";
// clang-format on

static bool is_true(const PGresult *res, enum column col)
{
    const char *text = pg_text(res, 0, (int)col);

    return text && text[0] == 't';
}

static void put(struct buf *out, const char *key, const char *text)
{
    if (text)
        json_kv(out, key, text);
    else
        json_kv_raw(out, key, STR("null"));
}

/* What the table says, and what was said this time. */
static void put_summary(struct buf *out, const char *sentence, const char *word, const char *also)
{
    AUTO_BUF text = BUF_INIT(SENTENCE_MAX);

    buf_adds(&text, sentence);
    if (word)
        buf_addf(&text, " %s%s%s", word, also ? ": " : "", also ? also : "");
    json_kv_str(out, "summary", text.rc == ERR_OK ? buf_str(&text) : str_of(sentence));
}

static void write(struct call *c, const PGresult *res, struct buf *out)
{
    const struct explain_case of = {.state = pg_text(res, 0, COL_STATE),
                                    .outcome = pg_text(res, 0, COL_OUTCOME),
                                    .hold_reason = pg_text(res, 0, COL_HOLD),
                                    .refused = pg_text(res, 0, COL_REFUSED),
                                    .ended = is_true(res, COL_ENDED),
                                    .claimed = is_true(res, COL_CLAIMED),
                                    .cancel_asked = is_true(res, COL_CANCEL),
                                    .workers = is_true(res, COL_WORKERS)};
    const char *reason = pg_text(res, 0, COL_REASON);
    struct explanation e;

    explain(&of, &e);
    buf_addc(out, '{');
    json_kv(out, "run_id", c->param[0].p);
    json_kv(out, "state", of.state);
    json_kv(out, "code", e.code);
    if (strcmp(e.code, "refused") == 0)
        put_summary(out, e.summary, of.refused, pg_text(res, 0, COL_REFUSED_DETAIL));
    else
        put_summary(out, e.summary, of.ended && reason && reason[0] ? "It says" : NULL, reason);
    put(out, "advice", e.advice);
    put(out, "since", pg_text(res, 0, COL_SINCE));
    put(out, "until", pg_text(res, 0, COL_UNTIL));
    json_kv_int(out, "attempt", pg_int(res, 0, COL_ATTEMPT));
    json_kv_raw(out, "history", str_of(pg_text(res, 0, COL_HISTORY)));
    buf_adds(out, "}\n");
}

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    struct buf body = BUF_INIT(API_ANSWER_MAX);
    struct call *c = ctx;

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
        return;
    }
    write(c, res, &body);
    call_json(c, 200, &body);
}

void run_explain(struct call *c)
{
    static const char *const params[] = {NULL};
    const char *id = call_params(c, params) ? call_run_id(c) : NULL;

    if (id)
        call_query(c, &(struct pg_cmd){.sql = sql, .n = 2, .v = {id, c->who.tenant}}, on_found);
}

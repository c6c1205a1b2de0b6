/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/session/session_sql.h"

#include "common/banned.h"

#define ME                                                                                         \
    "WITH me AS (SELECT * FROM ledger.claims WHERE run_id = $1 AND epoch = $2::int"                \
    " AND state = 'running' AND session_id IS NOT NULL FOR UPDATE)"

/* $1 run $2 epoch $3 key: before anything is stored under it */
const char session_sql_storing[] =
    ME " INSERT INTO ledger.transcripts AS t (key, state, tenant, session_id, run_id, epoch)"
       " SELECT $3, 'storing', tenant, session_id, run_id, epoch FROM me"
       " ON CONFLICT (key) DO UPDATE SET state = 'storing', since = clock_timestamp()"
       " WHERE t.state <> 'kept' RETURNING key";

/* $1 run $2 epoch $3 Claude's conversation $4 its transcript's key, bytes $5, SHA-256 in hex $6;
 * all three NULL: it could not be carried out. Once it is stored: from here on it is the
 * session's, and older ones are nobody's. */
const char session_sql_kept[] = ME
    ", kept AS (UPDATE ledger.transcripts t SET state = 'kept', since = clock_timestamp()"
    " FROM me WHERE t.key = $4 AND t.state <> 'kept'),"
    " older AS (UPDATE ledger.transcripts t SET state = 'dead', since = clock_timestamp()"
    " FROM me WHERE t.tenant = me.tenant AND t.session_id = me.session_id"
    " AND t.key IS DISTINCT FROM $4 AND t.state <> 'dead')"
    " INSERT INTO ledger.sessions (tenant, session_id, claude_session, transcript, bytes, sha256,"
    " run_id, attempt) SELECT tenant, session_id, $3, $4, $5::bigint, decode($6, 'hex'), run_id,"
    " attempt FROM me ON CONFLICT (tenant, session_id) DO UPDATE SET"
    " claude_session = excluded.claude_session, transcript = excluded.transcript,"
    " bytes = excluded.bytes, sha256 = excluded.sha256, run_id = excluded.run_id,"
    " attempt = excluded.attempt, updated_at = clock_timestamp() RETURNING session_id";

/* $1 ms after which a session is forgotten $2 at most so many: those that nobody spoke in for
 * so long, and what an owner that is not one any more was storing */
const char session_sql_forget[] =
    "WITH old AS (SELECT s.tenant, s.session_id FROM ledger.sessions s"
    " WHERE s.updated_at < clock_timestamp() - $1::bigint * interval '1 ms'"
    " AND NOT EXISTS (SELECT FROM ledger.claims c WHERE c.tenant = s.tenant"
    " AND c.session_id = s.session_id AND c.state IN ('waiting', 'running'))"
    " AND NOT EXISTS (SELECT FROM ledger.sandboxes b WHERE b.tenant = s.tenant"
    " AND b.session_id = s.session_id AND b.state IN ('parked', 'paused'))"
    " ORDER BY s.updated_at LIMIT $2::bigint FOR UPDATE OF s SKIP LOCKED),"
    " gone AS (DELETE FROM ledger.sessions s USING old WHERE s.tenant = old.tenant"
    " AND s.session_id = old.session_id),"
    " loose AS (SELECT t.key FROM ledger.transcripts t WHERE t.state = 'storing'"
    " AND NOT EXISTS (SELECT FROM ledger.claims c WHERE c.run_id = t.run_id"
    " AND c.epoch = t.epoch AND c.state = 'running') LIMIT $2::bigint"
    " FOR UPDATE OF t SKIP LOCKED)"
    " UPDATE ledger.transcripts t SET state = 'dead', since = clock_timestamp()"
    " WHERE t.state <> 'dead' AND (t.key IN (SELECT key FROM loose) OR t.state = 'kept'"
    " AND (t.tenant, t.session_id) IN (SELECT tenant, session_id FROM old)) RETURNING t.key";

/* $1 ms since they died: a put of an old owner may still be under way $2 at most so many */
const char session_sql_dead[] = "SELECT key FROM ledger.transcripts WHERE state = 'dead'"
                                " AND since <= clock_timestamp() - $1::bigint * interval '1 ms' "
                                "ORDER BY since LIMIT $2::bigint";

/* $1 key: the store does not have it any more */
const char session_sql_removed[] =
    "DELETE FROM ledger.transcripts WHERE key = $1 AND state = 'dead' RETURNING key";

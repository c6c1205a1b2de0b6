-- SPDX-License-Identifier: Apache-2.0
-- What a run used over all its attempts outlives the worker that counted it: the terminal
-- record tells the sum, whoever writes it.
ALTER TABLE ledger.claims
    ADD COLUMN input_tokens       bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_tokens      bigint NOT NULL DEFAULT 0,
    ADD COLUMN cache_read_tokens  bigint NOT NULL DEFAULT 0,
    ADD COLUMN cache_write_tokens bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.claims.cost_usd IS 'Sum over the attempts that ended, as are the tokens.';

-- "Does an earlier run of this session wait?" is asked for each due run of a session.
CREATE INDEX claims_session_waiting ON ledger.claims (tenant, session_id, created_at)
    WHERE state = 'waiting' AND session_id IS NOT NULL;

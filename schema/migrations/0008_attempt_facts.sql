-- SPDX-License-Identifier: Apache-2.0
-- What each attempt was given: enough to tell whether two of them were the same.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fleet.attempts
    ADD COLUMN template           text,
    ADD COLUMN arguments          json,
    ADD COLUMN arguments_hash     text,
    ADD COLUMN prompt_hash        text,
    ADD COLUMN system_prompt_hash text,
    ADD COLUMN files_hash         text;
COMMENT ON COLUMN fleet.attempts.arguments IS 'Arguments of the claude command, in order; long texts among them as their hash.';
COMMENT ON COLUMN fleet.attempts.arguments_hash IS 'BLAKE2b-256 in hex of the arguments in full, each with a NUL behind it.';
COMMENT ON COLUMN fleet.attempts.prompt_hash IS 'BLAKE2b-256 in hex of the prompt.';
COMMENT ON COLUMN fleet.attempts.system_prompt_hash IS 'BLAKE2b-256 in hex of the appended system prompt; NULL: there was none.';
COMMENT ON COLUMN fleet.attempts.files_hash IS 'BLAKE2b-256 in hex of the request''s files as JSON; NULL: there were none.';
COMMENT ON COLUMN fleet.attempts.template IS 'The sandbox''s template.';

SELECT fleet.grant_readers();

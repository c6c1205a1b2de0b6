-- SPDX-License-Identifier: Apache-2.0
-- Which credential each attempt had, and how its agent came to it.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fleet.attempts
    ADD COLUMN credential      text,
    ADD COLUMN credential_mode text;
COMMENT ON COLUMN fleet.attempts.credential IS 'Name of the credential that its agent had.';
COMMENT ON COLUMN fleet.attempts.credential_mode IS
    'How: fd, by file descriptor; proxy, added outside the sandbox, which never has it; none, it is one without a secret.';

SELECT fleet.grant_readers();

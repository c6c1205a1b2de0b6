-- SPDX-License-Identifier: Apache-2.0
-- What each column is, for whoever reads the tables without us (\d+ in psql). Names mean one thing
-- everywhere; where a column needs other words, it has a row of its own, which stands first.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

COMMENT ON VIEW fleet.cost_daily IS
    'Runs, US dollars and tokens by day, tenant, model, batch and credential. All measures add up: sum() over what you do not group by.';
COMMENT ON VIEW fleet.durations_daily IS
    'How long runs waited and took, by day, tenant and template. Percentiles do not add up: for other groups, take them from fleet.runs.';
COMMENT ON VIEW fleet.tool_usage IS 'Calls of each tool and how many failed, by day and tenant. Reads the events'' data: name the days.';
COMMENT ON VIEW fleet.failures_daily IS 'What went wrong: attempts and runs that did not succeed, by day, tenant, template, model and class.';
COMMENT ON VIEW fleet.hold_timeline IS 'One row a time that a run had to wait before it could start or start again, and why.';
COMMENT ON VIEW fleet.limit_timeline IS 'One row a word of the model''s service about a usage limit of a credential.';

DO $$
DECLARE
    -- relation ('*': wherever the column has no comment yet), column, what it is
    words CONSTANT text[] := ARRAY[
        ['ledger.workers', 'worker_id', 'The process''s name: new with each start.'],
        ['ledger.workers', 'host', 'The machine it runs on.'],
        ['ledger.workers', 'pid', 'Its process id there.'],
        ['ledger.workers', 'version', 'The program''s version.'],
        ['ledger.workers', 'slots', 'How many runs it takes at once.'],
        ['ledger.workers', 'started_at', 'When it started.'],
        ['ledger.workers', 'beat_at', 'When it last raised counter, by the database''s clock.'],

        ['ledger.claims', 'worker_id', 'The worker that has it, or had it last.'],
        ['ledger.claims', 'priority', '0 to 9; higher goes first.'],
        ['ledger.claims', 'body_hash', 'Of the request: the same id with another body is a conflict.'],
        ['ledger.claims', 'request', 'The run request as it came. It holds the prompt.'],
        ['ledger.claims', 'state', 'waiting, running or ended.'],
        ['ledger.claims', 'hold_reason', 'Waiting: for what. NULL: for a free slot.'],
        ['ledger.claims', 'hold_until', 'Waiting: not taken before.'],
        ['ledger.claims', 'started_at', 'When its first attempt started.'],
        ['ledger.claims', 'log_line', 'Number of the last line that the broker acknowledged.'],
        ['ledger.claims', 'created_at', 'When its first delivery was claimed.'],
        ['ledger.claims', 'updated_at', 'When the row last changed.'],
        ['ledger.claims', 'input_tokens', 'Sum over the attempts that ended.'],
        ['ledger.claims', 'output_tokens', 'Sum over the attempts that ended.'],
        ['ledger.claims', 'cache_read_tokens', 'Sum over the attempts that ended.'],
        ['ledger.claims', 'cache_write_tokens', 'Sum over the attempts that ended.'],

        ['ledger.installation', 'one', 'Always true: there is one row.'],
        ['ledger.installation', 'id', 'This ledger''s name, which its sandboxes carry in their metadata.'],
        ['ledger.sandboxes', 'state', 'creating, ready, busy, parked, paused, lost or dead.'],
        ['ledger.sandboxes', 'attempt', 'The attempt of that run.'],
        ['ledger.sandboxes', 'cpu_count', 'Its size, as the service tells it.'],
        ['ledger.sandboxes', 'memory_mb', 'Its size, as the service tells it.'],
        ['ledger.sandboxes', 'usd_per_hour', 'What its size costs, from list prices.'],
        ['ledger.sandboxes', 'created_at', 'When it was asked for.'],

        ['fleet.runs', 'prompt', 'What was asked. Needs sandfleet_read_prompts.'],
        ['fleet.runs', 'metadata', 'The submitter''s own, as it came.'],
        ['fleet.runs', 'state', 'queued, held, starting, running, retrying, cancelling; or its end: completed, failed, timed_out, cancelled, expired.'],
        ['fleet.runs', 'hold_reason', 'Held or retrying: why.'],
        ['fleet.runs', 'hold_until', 'Held or retrying: until when at least.'],
        ['fleet.runs', 'attempt', 'The newest attempt; 0: none yet.'],
        ['fleet.runs', 'worker_id', 'The worker that had it last.'],
        ['fleet.runs', 'sandbox_id', 'The sandbox that had it last.'],
        ['fleet.runs', 'claude_session', 'Claude''s id of the conversation.'],
        ['fleet.runs', 'model', 'The model that answered last; before any did, the one that was asked for.'],
        ['fleet.runs', 'result', 'What Claude answered. Needs sandfleet_read_prompts.'],
        ['fleet.runs', 'output_tail', 'The last 50 KB of the rendered output. Needs sandfleet_read_prompts.'],
        ['fleet.runs', 'created_at', 'When the request was made; NULL: the request was not read yet.'],
        ['fleet.runs', 'started_at', 'When its first attempt started.'],
        ['fleet.runs', 'ended_at', 'The time of its terminal event.'],
        ['fleet.runs', 'last_event_at', 'The time of its newest event.'],
        ['fleet.runs', 'epoch', 'Highest epoch seen.'],
        ['fleet.runs', 'control_n', 'Last number of a control record in that epoch.'],
        ['fleet.runs', 'line_attempt', 'Highest attempt seen.'],
        ['fleet.runs', 'line', 'Last line of that attempt.'],
        ['fleet.runs', 'ended', 'A terminal was seen: no event of this run counts any more.'],
        ['fleet.runs', 'repeats', 'Records that came again, and were dropped.'],
        ['fleet.runs', 'superseded', 'Records of an old owner, or from behind the end, that were dropped.'],
        ['fleet.runs', 'outcome', 'The class of its end: success, agent_error, usage_limit, sandbox_lost and others'],

        ['fleet.attempts', 'attempt', 'From 1.'],
        ['fleet.attempts', 'state', 'starting, running or ended.'],
        ['fleet.attempts', 'worker_id', 'The worker that had it last.'],
        ['fleet.attempts', 'model', 'The model that answered.'],
        ['fleet.attempts', 'claude_version', 'The version of Claude Code.'],
        ['fleet.attempts', 'outcome', 'The class of its end: success, agent_error, usage_limit, sandbox_lost and others'],
        ['fleet.attempts', 'exit_code', 'Of the agent process; 124: out of time.'],
        ['fleet.attempts', 'lines', 'Lines it printed, as far as they are known.'],
        ['fleet.attempts', 'bytes', 'Bytes it printed, as far as they are known.'],
        ['fleet.attempts', 'cost_usd', 'What it added; Claude''s own estimate from list prices.'],
        ['fleet.attempts', 'starting_at', 'When a worker began to prepare it.'],
        ['fleet.attempts', 'started_at', 'When its process started.'],
        ['fleet.attempts', 'ended_at', 'When its end was known.'],

        ['fleet.events', 'attempt', 'From 1; 0: before the first.'],
        ['fleet.events', 'epoch', 'The owner that wrote it: raised by each new one.'],
        ['fleet.events', 'log_offset', 'Lines: the byte offset behind the line in its attempt''s output.'],
        ['fleet.events', 'type', 'sandfleet.run.*, .attempt.*, .sandbox.*, .agent.*: schema/event.h lists them.'],
        ['fleet.events', 'time', 'When the worker saw it.'],
        ['fleet.events', 'tool', 'The first tool that the line calls.'],
        ['fleet.events', 'model', 'The model that the line names.'],
        ['fleet.events', 'input_tokens', 'Of this line; lines of one message repeat it.'],
        ['fleet.events', 'output_tokens', 'Of this line; lines of one message repeat it.'],
        ['fleet.events', 'cost_usd', 'What this event says a run or an attempt cost, in US dollars.'],
        ['fleet.events', 'data', 'As it came. json, not jsonb: jsonb refuses what tools can print. Cast through fleet.as_jsonb(). Needs sandfleet_read_prompts.'],

        ['fleet.gaps', 'sequence', 'Of the event that stands behind the gap.'],
        ['fleet.gaps', 'from_line', 'First line that is missing.'],
        ['fleet.gaps', 'to_line', 'Last line that is missing.'],
        ['fleet.quarantine', 'offset', 'Where in the partition the record stands.'],
        ['fleet.quarantine', 'reason', 'Class of what is wrong with it.'],
        ['fleet.quarantine', 'detail', 'What is wrong with it.'],
        ['fleet.quarantine', 'key', 'The record''s key. Needs sandfleet_read_prompts.'],
        ['fleet.quarantine', 'value', 'The record''s value. Needs sandfleet_read_prompts.'],
        ['fleet.quarantine', 'headers', 'The record''s headers. Needs sandfleet_read_prompts.'],
        ['fleet.quarantine', 'at', 'When the sink passed it.'],
        ['fleet.sink_offsets', 'next', 'The first offset that is not in these tables yet.'],
        ['fleet.sink_offsets', 'updated_at', 'When it last moved.'],

        ['fleet.cost_daily', 'runs', 'Runs created that day.'],
        ['fleet.cost_daily', 'ended', 'How many of them have ended.'],
        ['fleet.cost_daily', 'completed', 'How many of them have ended well.'],
        ['fleet.cost_daily', 'cost_usd', 'US dollars; Claude''s own estimate from list prices. Sandboxes are not in it.'],
        ['fleet.durations_daily', 'started', 'Runs with a start: those that the queue times are of.'],
        ['fleet.durations_daily', 'ended', 'Runs with a start and an end: those that the run times are of.'],
        ['fleet.durations_daily', 'queue_p50_s', 'Seconds from the run''s creation to its first start, median.'],
        ['fleet.durations_daily', 'queue_p95_s', 'The same, 95th percentile.'],
        ['fleet.durations_daily', 'queue_p99_s', 'The same, 99th percentile.'],
        ['fleet.durations_daily', 'run_p50_s', 'Seconds from the run''s first start to its end, waits in between included, median.'],
        ['fleet.durations_daily', 'run_p95_s', 'The same, 95th percentile.'],
        ['fleet.durations_daily', 'run_p99_s', 'The same, 99th percentile.'],
        ['fleet.tool_usage', 'tool', 'Its name, as Claude calls it.'],
        ['fleet.tool_usage', 'calls', 'How often it was called.'],
        ['fleet.tool_usage', 'errors', 'How many of the calls came back as an error.'],
        ['fleet.tool_usage', 'runs', 'How many runs called it.'],
        ['fleet.failures_daily', 'outcome', 'The class of the failure.'],
        ['fleet.failures_daily', 'attempts', 'Attempts that ended so; most are tried again.'],
        ['fleet.failures_daily', 'runs', 'Runs that ended so for good.'],
        ['fleet.failures_daily', 'cost_usd', 'What those attempts had cost, in US dollars.'],
        ['fleet.hold_timeline', 'sequence', 'Of the event that says so.'],
        ['fleet.hold_timeline', 'attempt', 'The attempt that had ended; 0: before the first.'],
        ['fleet.hold_timeline', 'kind', 'held: it waits for something; retrying: it backs off after a failure.'],
        ['fleet.hold_timeline', 'reason', 'For what, or after which class of failure.'],
        ['fleet.hold_timeline', 'held_at', 'When the wait began.'],
        ['fleet.hold_timeline', 'announced_until', 'Until when it was to last, when that was known.'],
        ['fleet.hold_timeline', 'ended_at', 'The time of the run''s next event; NULL: it still waits.'],
        ['fleet.limit_timeline', 'sequence', 'Of the event that says so.'],
        ['fleet.limit_timeline', 'seen_at', 'When the worker saw it.'],
        ['fleet.limit_timeline', 'status', 'allowed, allowed_warning or rejected.'],
        ['fleet.limit_timeline', 'limit_type', 'five_hour, seven_day and others'],
        ['fleet.limit_timeline', 'utilization', 'How much of the limit is used, as the service says it.'],
        ['fleet.limit_timeline', 'resets_at', 'When the limit begins anew.'],

        ['*', 'run_id', 'The run''s id.'],
        ['*', 'run_day', 'UTC day of the run''s creation: name it, and only that partition of the events is read.'],
        ['*', 'tenant', 'Whose run it is.'],
        ['*', 'lane', 'interactive or batch.'],
        ['*', 'batch_id', 'The batch it was submitted with.'],
        ['*', 'custom_id', 'The submitter''s own name of it, unique in its batch.'],
        ['*', 'session_id', 'The session it belongs to; its runs go one at a time.'],
        ['*', 'project_id', 'The submitter''s project.'],
        ['*', 'user_id', 'The submitter''s user.'],
        ['*', 'credential', 'Name of the credential it runs with, never its value.'],
        ['*', 'template', 'The sandbox''s template.'],
        ['*', 'model', 'The run''s model.'],
        ['*', 'reason', 'More about the outcome, in words.'],
        ['*', 'sandbox_id', 'The service''s id of the sandbox.'],
        ['*', 'attempt', 'Ordinal of the agent process, from 1.'],
        ['*', 'input_tokens', 'Tokens sent to the model, caches not counted.'],
        ['*', 'output_tokens', 'Tokens that the model wrote.'],
        ['*', 'cache_read_tokens', 'Tokens read from the prompt cache.'],
        ['*', 'cache_write_tokens', 'Tokens written to the prompt cache.'],
        ['*', 'topic', 'The topic''s full name.'],
        ['*', 'partition', 'The topic''s partition.']];
    word text[];
    target record;
BEGIN
    FOREACH word SLICE 1 IN ARRAY words LOOP
        FOR target IN
            SELECT a.attrelid::regclass AS relation
            FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE a.attname = word[2] AND c.relkind IN ('r', 'p', 'v')
              AND c.relnamespace IN ('fleet'::regnamespace, 'ledger'::regnamespace) AND NOT c.relispartition
              AND CASE word[1] WHEN '*' THEN col_description(a.attrelid, a.attnum) IS NULL
                               ELSE a.attrelid = word[1]::regclass END
        LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target.relation, word[2], word[3]);
        END LOOP;
    END LOOP;
END $$;

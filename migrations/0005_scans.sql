-- Scans: who looks at which markets, what was seen, what a model was asked and
-- answered, and what that used of a budget. A call is counted here before it is
-- made, so that none is made beside the books.

CREATE TABLE interlock.scan_jobs (
	id             text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
	user_id        text NOT NULL CHECK (user_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	account_id     text NOT NULL REFERENCES interlock.accounts,
	revision       int NOT NULL DEFAULT 1 CHECK (revision > 0),
	body           json NOT NULL,
	paused         boolean NOT NULL DEFAULT false,
	note           text NOT NULL DEFAULT '',
	-- How many due times the schedule had dropped when they were last recorded.
	overlaps_seen  bigint NOT NULL DEFAULT 0,
	missed_seen    bigint NOT NULL DEFAULT 0,
	created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	deleted_at     timestamptz
);

-- What the model saw, by the digest of its text.
CREATE TABLE interlock.market_snapshots (
	digest     text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
	body       json NOT NULL, -- json, not jsonb: the text is what was digested
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER market_snapshots_immutable BEFORE UPDATE OR DELETE ON interlock.market_snapshots
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- One row per due time: scanned, or dropped by the schedule. ID = workflow ID.
CREATE TABLE interlock.scan_runs (
	id         text PRIMARY KEY,
	job_id     text NOT NULL REFERENCES interlock.scan_jobs,
	revision   int NOT NULL,
	snapshot   text REFERENCES interlock.market_snapshots,
	code       text, -- null while it runs
	detail     text NOT NULL DEFAULT '',
	due_times  bigint NOT NULL DEFAULT 1 CHECK (due_times > 0),
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	ended_at   timestamptz,
	CHECK ((code IS NULL) = (ended_at IS NULL))
);
CREATE INDEX scan_runs_by_job ON interlock.scan_runs (job_id, started_at DESC);

CREATE FUNCTION interlock.keep_scan_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.code IS NOT NULL OR (OLD.snapshot IS NOT NULL AND NEW.snapshot IS DISTINCT FROM OLD.snapshot) THEN
		RAISE EXCEPTION 'scan % has ended, or its snapshot would change', OLD.id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER scan_runs_keep BEFORE UPDATE ON interlock.scan_runs
	FOR EACH ROW EXECUTE FUNCTION interlock.keep_scan_end();

-- Reservations become facts. Another program that only writes user, tokens,
-- success and time has written a fact.
CREATE TABLE interlock.gpt_usage_log (
	id              text PRIMARY KEY DEFAULT gen_random_uuid()::text,
	user_id         text NOT NULL CHECK (user_id <> ''),
	snapshot_id     text NOT NULL DEFAULT '',
	purpose         text NOT NULL DEFAULT '',
	model           text NOT NULL DEFAULT '',
	state           text NOT NULL DEFAULT 'settled' CHECK (state IN ('reserved', 'settled', 'released')),
	reserved_tokens bigint NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
	reserved_cost   numeric NOT NULL DEFAULT 0 CHECK (reserved_cost >= 0 AND reserved_cost < 'Infinity'),
	tokens          bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0),
	cost            numeric NOT NULL DEFAULT 0 CHECK (cost >= 0 AND cost < 'Infinity'), -- euro
	success         boolean NOT NULL DEFAULT false,
	detail          text NOT NULL DEFAULT '',
	request_digest  text NOT NULL DEFAULT '',
	reply_digest    text NOT NULL DEFAULT '',
	reply           text NOT NULL DEFAULT '',
	created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	begun_at        timestamptz, -- the call may have left from here on
	ended_at        timestamptz
);
CREATE INDEX gpt_usage_log_by_user ON interlock.gpt_usage_log (user_id, created_at);

-- A fact stays one, and a call that may have left is never given back.
CREATE FUNCTION interlock.keep_usage() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state <> 'reserved' OR NEW.user_id <> OLD.user_id OR NEW.created_at <> OLD.created_at
		OR NEW.begun_at IS DISTINCT FROM coalesce(OLD.begun_at, NEW.begun_at) THEN
		RAISE EXCEPTION 'usage % is a fact', OLD.id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER gpt_usage_log_keep BEFORE UPDATE ON interlock.gpt_usage_log
	FOR EACH ROW EXECUTE FUNCTION interlock.keep_usage();
CREATE TRIGGER gpt_usage_log_no_delete BEFORE DELETE ON interlock.gpt_usage_log
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- What was used until then no longer counts against a user; the facts stay.
CREATE TABLE interlock.budget_clearances (
	user_id    text NOT NULL,
	cleared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor      text NOT NULL CHECK (actor <> ''),
	reason     text NOT NULL CHECK (reason <> ''),
	PRIMARY KEY (user_id, cleared_at)
);
CREATE TRIGGER budget_clearances_immutable BEFORE UPDATE OR DELETE ON interlock.budget_clearances
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- What the model wrote, one row per idea: made a proposal, or why not.
CREATE TABLE interlock.scan_ideas (
	run_id      text NOT NULL REFERENCES interlock.scan_runs,
	number      int NOT NULL CHECK (number > 0),
	outcome     text NOT NULL CHECK (outcome IN ('proposed', 'refused', 'duplicate')),
	proposal_id text REFERENCES interlock.trade_proposals,
	reason      text NOT NULL DEFAULT '',
	body        text NOT NULL CHECK (char_length(body) <= 8000), -- as it was written
	stored_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (run_id, number),
	CHECK ((outcome = 'refused') = (proposal_id IS NULL)),
	CHECK ((outcome = 'proposed') = (reason = ''))
);
CREATE TRIGGER scan_ideas_immutable BEFORE UPDATE OR DELETE ON interlock.scan_ideas
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

GRANT SELECT ON interlock.scan_jobs, interlock.scan_runs, interlock.market_snapshots, interlock.gpt_usage_log,
	interlock.budget_clearances, interlock.scan_ideas TO interlock_scans, interlock_api, interlock_operator;

-- scans: its own records, and proposals, of which it cannot choose the status.
GRANT UPDATE (paused, note, overlaps_seen, missed_seen) ON interlock.scan_jobs TO interlock_scans;
GRANT INSERT ON interlock.scan_runs, interlock.market_snapshots, interlock.gpt_usage_log, interlock.scan_ideas TO interlock_scans;
GRANT UPDATE (snapshot, code, detail, ended_at) ON interlock.scan_runs TO interlock_scans;
GRANT UPDATE (state, tokens, cost, success, detail, request_digest, reply_digest, reply, begun_at, ended_at)
	ON interlock.gpt_usage_log TO interlock_scans;
GRANT INSERT (id, user_id, account_id, market, side, order_type, amount, amount_quote, price, expected_price, confidence,
	rationale, source, policy_version, expires_at) ON interlock.trade_proposals TO interlock_scans;

-- api and operator: jobs; only an operator clears a budget.
GRANT INSERT ON interlock.scan_jobs TO interlock_api, interlock_operator;
GRANT UPDATE (paused, note, revision, body, deleted_at) ON interlock.scan_jobs TO interlock_api, interlock_operator;
GRANT INSERT ON interlock.budget_clearances, interlock.gpt_usage_log TO interlock_operator;

---- create above / drop below ----

REVOKE INSERT (id, user_id, account_id, market, side, order_type, amount, amount_quote, price, expected_price, confidence,
	rationale, source, policy_version, expires_at) ON interlock.trade_proposals FROM interlock_scans;
DROP TABLE interlock.scan_ideas, interlock.budget_clearances, interlock.gpt_usage_log, interlock.scan_runs,
	interlock.market_snapshots, interlock.scan_jobs;
DROP FUNCTION interlock.keep_usage, interlock.keep_scan_end;

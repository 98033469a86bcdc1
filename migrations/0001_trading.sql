-- What Interlock knows and may never forget. Temporal forgets a closed
-- workflow after its retention; these rows are why a proposal still trades
-- once. Every rule that must hold under concurrency is a constraint here.

CREATE FUNCTION interlock.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- The identity that client order IDs are derived from.
CREATE TABLE interlock.installation (
	singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	id         uuid NOT NULL DEFAULT gen_random_uuid(),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO interlock.installation DEFAULT VALUES;

CREATE TABLE interlock.accounts (
	id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	venue      text NOT NULL CHECK (venue IN ('paper', 'live')),
	rest_url   text NOT NULL,
	label      text NOT NULL DEFAULT '',
	-- L: within this time the exchange shows an order to its owner.
	read_lag   interval NOT NULL DEFAULT '30 seconds' CHECK (read_lag > '0'),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row per account and one for all of them, '*'. The stricter one counts.
CREATE TABLE interlock.trading_controls (
	scope      text PRIMARY KEY,
	state      text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
	actor      text NOT NULL,
	reason     text NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO interlock.trading_controls VALUES ('*', 'ACTIVE', 'migration', 'first installation');

CREATE FUNCTION interlock.new_account_control() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	INSERT INTO trading_controls VALUES (NEW.id, 'ACTIVE', 'accounts', 'account created');
	RETURN NULL;
END $$;
CREATE TRIGGER accounts_control AFTER INSERT ON interlock.accounts
	FOR EACH ROW EXECUTE FUNCTION interlock.new_account_control();

CREATE TABLE interlock.api_tokens (
	id         text PRIMARY KEY,
	token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
	user_id    text NOT NULL CHECK (user_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	account_id text NOT NULL REFERENCES interlock.accounts,
	label      text NOT NULL DEFAULT '',
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	revoked_at timestamptz
);

-- Versions are immutable, so a verdict can always be derived again.
CREATE TABLE interlock.trading_policies (
	user_id    text NOT NULL CHECK (user_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	account_id text NOT NULL REFERENCES interlock.accounts,
	version    int NOT NULL CHECK (version > 0),
	body       json NOT NULL,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (user_id, account_id, version)
);
CREATE TRIGGER trading_policies_immutable BEFORE UPDATE OR DELETE ON interlock.trading_policies
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

CREATE TABLE interlock.trade_proposals (
	id             text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	user_id        text NOT NULL CHECK (user_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$'),
	account_id     text NOT NULL REFERENCES interlock.accounts,
	market         text NOT NULL CHECK (market ~ '^[A-Z0-9]{1,12}-[A-Z0-9]{2,6}$'),
	asset          text NOT NULL GENERATED ALWAYS AS (split_part(market, '-', 1)) STORED,
	side           text NOT NULL CHECK (side IN ('buy', 'sell')),
	order_type     text NOT NULL DEFAULT 'market' CHECK (order_type IN ('market', 'limit')),
	amount         numeric CHECK (amount > 0 AND amount < 'Infinity'),
	amount_quote   numeric CHECK (amount_quote > 0 AND amount_quote < 'Infinity'),
	price          numeric CHECK (price > 0 AND price < 'Infinity'),
	expected_price numeric CHECK (expected_price > 0 AND expected_price < 'Infinity'),
	confidence     numeric CHECK (confidence BETWEEN 0 AND 1),
	rationale      text NOT NULL DEFAULT '' CHECK (char_length(rationale) <= 4000),
	source         text NOT NULL DEFAULT '' CHECK (char_length(source) <= 200),
	policy_version int NOT NULL DEFAULT 0,
	status         text NOT NULL DEFAULT 'PENDING'
		CHECK (status IN ('PENDING', 'EXECUTING', 'EXECUTED', 'FAILED', 'UNRESOLVED', 'EXPIRED', 'CANCELLED')),
	failure_code   text NOT NULL DEFAULT '',
	failure_detail text NOT NULL DEFAULT '',
	exchange_code  text NOT NULL DEFAULT '',
	created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at     timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 hour',
	updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	cancel_actor   text,
	cancel_reason  text,
	-- When Sweep or a starter last knew of a workflow that lives this proposal.
	workflow_seen_at timestamptz,
	CHECK ((amount IS NULL) <> (amount_quote IS NULL)),
	CHECK ((order_type = 'limit') = (price IS NOT NULL)),
	CHECK (order_type = 'market' OR amount_quote IS NULL)
);
CREATE INDEX trade_proposals_by_user ON interlock.trade_proposals (user_id, created_at DESC);
CREATE INDEX trade_proposals_open ON interlock.trade_proposals (expires_at) WHERE status IN ('PENDING', 'FAILED');
CREATE INDEX trade_proposals_claimed ON interlock.trade_proposals (account_id, asset) WHERE status IN ('EXECUTING', 'UNRESOLVED');

-- Other programs may insert proposals; BTC/EUR and BUY mean what they say.
CREATE FUNCTION interlock.normalise_proposal() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	NEW.market := replace(NEW.market, '/', '-');
	NEW.side := lower(NEW.side);
	RETURN NEW;
END $$;
CREATE TRIGGER trade_proposals_normalise BEFORE INSERT ON interlock.trade_proposals
	FOR EACH ROW EXECUTE FUNCTION interlock.normalise_proposal();

-- A proposal that was closed stays closed, whoever writes.
CREATE FUNCTION interlock.keep_closed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.status IN ('EXECUTED', 'EXPIRED', 'CANCELLED') AND NEW.status <> OLD.status THEN
		RAISE EXCEPTION 'proposal % is % for ever', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
	END IF;
	IF (NEW.id, NEW.user_id, NEW.account_id, NEW.market, NEW.side, NEW.order_type, NEW.amount, NEW.amount_quote, NEW.price)
		IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.account_id, OLD.market, OLD.side, OLD.order_type, OLD.amount, OLD.amount_quote, OLD.price) THEN
		RAISE EXCEPTION 'what proposal % proposes cannot change', OLD.id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER trade_proposals_keep_closed BEFORE UPDATE ON interlock.trade_proposals
	FOR EACH ROW EXECUTE FUNCTION interlock.keep_closed();

-- One answer per request: asked again under its ID, preflight repeats itself.
CREATE TABLE interlock.verdicts (
	request_id  text NOT NULL,
	proposal_id text NOT NULL REFERENCES interlock.trade_proposals,
	claimed     boolean NOT NULL,
	body        json NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (proposal_id, request_id)
);
CREATE TRIGGER verdicts_immutable BEFORE UPDATE OR DELETE ON interlock.verdicts
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

CREATE TABLE interlock.overrides (
	id           text NOT NULL,
	proposal_id  text NOT NULL REFERENCES interlock.trade_proposals,
	cooldown     boolean NOT NULL,
	anti_flip    boolean NOT NULL,
	actor        text NOT NULL CHECK (actor <> ''),
	verified     boolean NOT NULL DEFAULT false,
	reason       text NOT NULL CHECK (reason <> ''),
	via          text NOT NULL,
	stored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at   timestamptz NOT NULL,
	consumed_by  text,
	PRIMARY KEY (proposal_id, id),
	CHECK (cooldown OR anti_flip)
);

-- One execution per proposal and user, for ever. A claim after a failure takes
-- the same row, so the client order ID stays the same too.
CREATE TABLE interlock.trade_executions (
	id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id         text NOT NULL,
	proposal_id     text NOT NULL REFERENCES interlock.trade_proposals,
	account_id      text NOT NULL REFERENCES interlock.accounts,
	market          text NOT NULL,
	asset           text NOT NULL GENERATED ALWAYS AS (split_part(market, '-', 1)) STORED,
	side            text NOT NULL CHECK (side IN ('buy', 'sell')),
	client_order_id uuid NOT NULL UNIQUE,
	status          text NOT NULL CHECK (status IN ('EXECUTING', 'UNRESOLVED', 'EXECUTED', 'FAILED')),
	plan            json NOT NULL,
	worst_quote     numeric NOT NULL CHECK (worst_quote >= 0),
	policy_version  int NOT NULL,
	request_id      text NOT NULL,
	claimed_at      timestamptz NOT NULL,
	followed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	ended_at        timestamptz,
	order_id        text,
	order_status    text,
	filled_amount   numeric NOT NULL DEFAULT 0 CHECK (filled_amount >= 0),
	filled_quote    numeric NOT NULL DEFAULT 0 CHECK (filled_quote >= 0),
	fee_paid        numeric NOT NULL DEFAULT 0,
	fee_currency    text NOT NULL DEFAULT '',
	UNIQUE (user_id, proposal_id),
	CHECK ((status IN ('EXECUTED', 'FAILED')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX trade_executions_order ON interlock.trade_executions (account_id, market, order_id);
CREATE INDEX trade_executions_open ON interlock.trade_executions (account_id, claimed_at) WHERE ended_at IS NULL;
CREATE INDEX trade_executions_claims ON interlock.trade_executions (account_id, claimed_at);

-- An attempt exists here before its first byte leaves. At most one attempt of
-- an execution may be in doubt or accepted: the index is the lock.
CREATE TABLE interlock.order_attempts (
	execution_id bigint NOT NULL REFERENCES interlock.trade_executions,
	number       int NOT NULL CHECK (number > 0),
	request_id   text NOT NULL,
	deadline     timestamptz, -- exchange clock; null only for void
	begun_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	begun_by     text NOT NULL DEFAULT '',
	reply_code   text NOT NULL DEFAULT '',
	reply_detail text NOT NULL DEFAULT '',
	verdict      text CHECK (verdict IN ('accepted', 'refused', 'not_sent', 'absent', 'void')),
	order_id     text,
	concluded_at timestamptz,
	PRIMARY KEY (execution_id, number),
	CHECK ((verdict IS NULL) = (concluded_at IS NULL)),
	CHECK ((verdict IS NOT DISTINCT FROM 'accepted') = (order_id IS NOT NULL)),
	CHECK (deadline IS NOT NULL OR verdict IS NOT DISTINCT FROM 'void')
);
CREATE UNIQUE INDEX order_attempts_one_alive ON interlock.order_attempts (execution_id)
	WHERE verdict IS NULL OR verdict = 'accepted';

-- The verdict is given once, the deadline never moves.
CREATE FUNCTION interlock.keep_concluded() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.verdict IS NOT NULL OR NEW.deadline IS DISTINCT FROM OLD.deadline THEN
		RAISE EXCEPTION 'attempt %/% is concluded or its deadline would move', OLD.execution_id, OLD.number USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER order_attempts_keep BEFORE UPDATE ON interlock.order_attempts
	FOR EACH ROW EXECUTE FUNCTION interlock.keep_concluded();
CREATE TRIGGER order_attempts_no_delete BEFORE DELETE ON interlock.order_attempts
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

CREATE TABLE interlock.order_looks (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	execution_id  bigint NOT NULL REFERENCES interlock.trade_executions,
	number        int NOT NULL,
	sighting      text NOT NULL CHECK (sighting IN ('found', 'not_there', 'inconclusive')),
	exchange_time timestamptz, -- exchange clock, read before the look
	orders        json NOT NULL DEFAULT '[]',
	detail        text NOT NULL DEFAULT '',
	looked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK (exchange_time IS NOT NULL OR sighting = 'inconclusive')
);
CREATE INDEX order_looks_by_attempt ON interlock.order_looks (execution_id, number, exchange_time);

CREATE TABLE interlock.order_fills (
	account_id   text NOT NULL REFERENCES interlock.accounts,
	market       text NOT NULL,
	fill_id      text NOT NULL,
	execution_id bigint NOT NULL REFERENCES interlock.trade_executions,
	order_id     text NOT NULL,
	amount       numeric NOT NULL CHECK (amount > 0),
	price        numeric NOT NULL CHECK (price > 0),
	fee          numeric NOT NULL,
	fee_currency text NOT NULL,
	taker        boolean NOT NULL,
	filled_at    timestamptz NOT NULL, -- exchange clock
	PRIMARY KEY (account_id, market, fill_id)
);

-- Executed trades. Rows of other programs count for cooldown, anti-flip and
-- the trade limits; they need only user, asset, side and time.
CREATE TABLE interlock.trade_history (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id      text NOT NULL,
	account_id   text REFERENCES interlock.accounts,
	proposal_id  text,
	execution_id bigint UNIQUE REFERENCES interlock.trade_executions,
	market       text,
	asset        text NOT NULL,
	side         text NOT NULL CHECK (side IN ('buy', 'sell')),
	amount       numeric CHECK (amount >= 0 AND amount < 'Infinity'),
	amount_quote numeric CHECK (amount_quote >= 0 AND amount_quote < 'Infinity'),
	fee          numeric,
	fee_currency text,
	executed_at  timestamptz NOT NULL,
	recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX trade_history_by_user ON interlock.trade_history (user_id, executed_at);
CREATE INDEX trade_history_by_account ON interlock.trade_history (account_id, market);

CREATE FUNCTION interlock.normalise_trade() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	NEW.market := replace(NEW.market, '/', '-');
	NEW.asset := upper(coalesce(NEW.asset, split_part(NEW.market, '-', 1)));
	NEW.side := lower(NEW.side);
	NEW.recorded_at := clock_timestamp();
	RETURN NEW;
END $$;
CREATE TRIGGER trade_history_normalise BEFORE INSERT ON interlock.trade_history
	FOR EACH ROW EXECUTE FUNCTION interlock.normalise_trade();

CREATE TABLE interlock.market_facts (
	account_id        text NOT NULL REFERENCES interlock.accounts,
	market            text NOT NULL,
	price             numeric NOT NULL CHECK (price > 0),
	tick_size         numeric NOT NULL CHECK (tick_size > 0),
	quantity_decimals int NOT NULL CHECK (quantity_decimals BETWEEN 0 AND 18),
	notional_decimals int NOT NULL CHECK (notional_decimals BETWEEN 0 AND 18),
	min_base          numeric NOT NULL CHECK (min_base >= 0),
	min_quote         numeric NOT NULL CHECK (min_quote >= 0),
	market_status     text NOT NULL,
	observed_at       timestamptz NOT NULL, -- database clock, before the exchange was asked
	PRIMARY KEY (account_id, market)
);

CREATE TABLE interlock.exchange_clocks (
	account_id  text PRIMARY KEY REFERENCES interlock.accounts,
	ahead_ms    bigint NOT NULL,
	measured_at timestamptz NOT NULL
);

-- A comparison counts only for the very database that made it: a restored one
-- has another identity and must compare again.
CREATE TABLE interlock.reconciliations (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account_id   text NOT NULL REFERENCES interlock.accounts,
	database_id  text NOT NULL,
	started_at   timestamptz NOT NULL,
	finished_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	orders_seen  int NOT NULL,
	trades_seen  int NOT NULL,
	differences  int NOT NULL,
	balances     json NOT NULL DEFAULT '[]'
);
CREATE INDEX reconciliations_latest ON interlock.reconciliations (account_id, finished_at DESC);

CREATE FUNCTION interlock.database_id() RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT d.oid::text || '/' || 'interlock.reconciliations'::regclass::oid::text || '/' ||
		to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
	FROM pg_database d WHERE d.datname = current_database()
$$;

-- What the exchange has and we do not, or have otherwise. Shown, never adopted.
CREATE TABLE interlock.exchange_differences (
	account_id      text NOT NULL REFERENCES interlock.accounts,
	market          text NOT NULL,
	order_id        text NOT NULL,
	kind            text NOT NULL CHECK (kind IN ('unknown_order', 'contradiction', 'amounts_differ')),
	client_order_id uuid,
	operator_id     bigint,
	detail          text NOT NULL,
	body            json NOT NULL,
	first_seen_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (account_id, market, order_id, kind)
);
CREATE INDEX exchange_differences_by_client ON interlock.exchange_differences (client_order_id);

---- create above / drop below ----

DROP TABLE interlock.exchange_differences, interlock.reconciliations, interlock.exchange_clocks, interlock.market_facts,
	interlock.trade_history, interlock.order_fills, interlock.order_looks, interlock.order_attempts,
	interlock.trade_executions, interlock.overrides, interlock.verdicts, interlock.trade_proposals,
	interlock.trading_policies, interlock.api_tokens, interlock.trading_controls, interlock.accounts, interlock.installation;
DROP FUNCTION interlock.database_id, interlock.normalise_trade, interlock.keep_concluded, interlock.keep_closed,
	interlock.normalise_proposal, interlock.new_account_control, interlock.refuse_change;

-- Events out: what people and programs are told of, written in the transaction
-- of the fact. A deferred trigger writes it, at commit and under one lock, so
-- that numbers become visible in their order and a number is a cursor; what may
-- be frozen or slow never holds that lock. Who is to be told is settled then.

CREATE TABLE interlock.outbox (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at          timestamptz NOT NULL DEFAULT clock_timestamp(),
	account_id  text NOT NULL, -- '*' concerns every account
	user_id     text, -- null: nobody's in particular
	proposal_id text,
	kind        text NOT NULL,
	body        json NOT NULL,
	fact        text NOT NULL UNIQUE, -- what it tells; no fact is told twice
	life        text NOT NULL DEFAULT interlock.database_id()
);
CREATE TRIGGER outbox_immutable BEFORE UPDATE OR DELETE ON interlock.outbox
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- Whom to tell. The address holds the service's secrets: of the roles, only
-- proposals can read it, and what people are shown is in shown.
CREATE TABLE interlock.notification_rules (
	id          text PRIMARY KEY,
	account_id  text NOT NULL, -- '*': all
	user_id     text, -- null: all of the account
	kinds       text[] NOT NULL, -- empty: all
	service     text NOT NULL,
	address     text NOT NULL,
	signing_key text NOT NULL DEFAULT '',
	shown       text NOT NULL,
	created_by  text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	removed_at  timestamptz
);

CREATE TABLE interlock.deliveries (
	event_id     bigint NOT NULL REFERENCES interlock.outbox,
	rule_id      text NOT NULL REFERENCES interlock.notification_rules,
	proposal_id  text,
	attempts     int NOT NULL DEFAULT 0,
	due_at       timestamptz NOT NULL DEFAULT clock_timestamp(), -- while it is tried: when it counts as lost
	delivered_at timestamptz,
	given_up_at  timestamptz,
	last_error   text NOT NULL DEFAULT '',
	PRIMARY KEY (event_id, rule_id),
	CHECK (delivered_at IS NULL OR given_up_at IS NULL)
);
CREATE INDEX deliveries_open ON interlock.deliveries (rule_id, proposal_id, event_id) WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX deliveries_given_up ON interlock.deliveries (rule_id) WHERE given_up_at IS NOT NULL;
CREATE INDEX scan_ideas_by_proposal ON interlock.scan_ideas (proposal_id);
CREATE INDEX trade_executions_ended ON interlock.trade_executions (account_id, ended_at);

-- Whether an event is a user's to see: their own, and what stops or frees all.
CREATE FUNCTION interlock.concerns(kind text, owner text, who text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT who IS NULL OR owner IS NOT DISTINCT FROM who OR owner IS NULL AND kind IN ('halted', 'resumed')
$$;

-- The lock is held from here to the end of a commit that is under way: numbers
-- are given in the order in which they become visible. The first of a life
-- leaves out more than a lost future can have used: a number that a receiver
-- has seen never comes again for another event.
CREATE FUNCTION interlock.announce(account text, owner text, proposal text, what text, fact text, told json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	number bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('interlock outbox', 0));
	PERFORM setval(pg_get_serial_sequence('interlock.outbox', 'id'), last.id + 1000000)
		FROM (SELECT id, life FROM outbox ORDER BY id DESC LIMIT 1) last WHERE last.life <> database_id();
	INSERT INTO outbox (account_id, user_id, proposal_id, kind, body, fact)
		VALUES ($1, $2, $3, $4, json_strip_nulls($6), $5) ON CONFLICT ON CONSTRAINT outbox_fact_key DO NOTHING RETURNING id INTO number;
	INSERT INTO deliveries (event_id, rule_id, proposal_id)
		SELECT number, r.id, $3 FROM notification_rules r
		WHERE number IS NOT NULL AND r.removed_at IS NULL AND (r.account_id IN ('*', $1) OR $1 = '*')
			AND concerns($4, $2, r.user_id)
			AND CASE $4 WHEN 'test' THEN r.id = told->>'rule' ELSE r.kinds = '{}' OR $4 = ANY (r.kinds) END;
END $$;

CREATE FUNCTION interlock.may_execute_itself(owner text, account text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT (body->>'autoExecute')::boolean FROM interlock.trading_policies
		WHERE user_id = owner AND account_id = account ORDER BY version DESC LIMIT 1), false)
$$;

-- More than one in ten of at least ten that ended within the hour; told once
-- in an hour.
CREATE FUNCTION interlock.announce_failure_rate(account text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	ended  int;
	failed int;
BEGIN
	SELECT count(*), count(*) FILTER (WHERE status = 'FAILED') INTO ended, failed FROM interlock.trade_executions
		WHERE account_id = account AND ended_at > clock_timestamp() - interval '1 hour';
	IF ended >= 10 AND failed * 10 > ended THEN
		PERFORM interlock.announce(account, NULL, NULL, 'failure_rate',
			format('failure_rate %s %s', account, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')),
			json_build_object('ended', ended, 'failed', failed));
	END IF;
END $$;

-- What an audit row tells beyond the audit. It runs at commit, so it sees all
-- that the transaction wrote.
CREATE FUNCTION interlock.announce_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	b    json := NEW.body;
	fact text := format('audit %s %s', NEW.chain, NEW.seq);
	what text;
	told json;
BEGIN
	CASE NEW.kind
	WHEN 'proposal.stored' THEN
		IF EXISTS (SELECT FROM scan_ideas WHERE proposal_id = NEW.proposal_id AND outcome = 'proposed')
			AND NOT may_execute_itself(NEW.user_id, NEW.chain) THEN
			what := 'waiting';
			told := json_build_object('for', 'execute', 'market', b->'market', 'side', b->'side', 'amount', b->'amount',
				'amountQuote', b->'amountQuote', 'confidence', b->'confidence', 'rationale', b->'rationale', 'expiresAt', b->'expiresAt');
		END IF;
	WHEN 'override.stored' THEN
		IF (b->>'awaitsSecond')::boolean THEN
			what := 'waiting';
			told := json_build_object('for', 'confirm', 'overrideId', b->'override'->'id', 'actor', NEW.actor, 'reason', b->'override'->'reason');
		END IF;
	WHEN 'preflight.blocked' THEN
		what := 'blocked';
		told := json_build_object('requestId', b->'request'->'id', 'actor', NEW.actor, 'blocks', (
			SELECT json_agg(json_build_object('code', c->'code', 'message', c->'message'))
			FROM json_array_elements(b->'verdict'->'checks') c WHERE NOT (c->>'passed')::boolean));
	WHEN 'execution.recorded' THEN
		what := 'executed';
		told := json_build_object('orderId', b->'order'->'orderId', 'market', b->'order'->'market', 'side', b->'order'->'side',
			'status', b->'order'->'status', 'filledAmount', b->'order'->'filledAmount', 'filledAmountQuote', b->'order'->'filledAmountQuote',
			'feePaid', b->'order'->'feePaid', 'feeCurrency', b->'order'->'feeCurrency');
	WHEN 'execution.failed' THEN
		what := 'failed';
		told := json_build_object('code', b->'failure'->'code', 'exchangeCode', b->'failure'->'exchangeCode',
			'message', b->'failure'->'message', 'status', b->'status');
	WHEN 'execution.unresolved' THEN
		what := 'unresolved';
		told := json_build_object('attempt', b->'number', 'deadline', b->'deadline');
	WHEN 'scan.ended' THEN
		IF b->>'code' LIKE '%BUDGET_EXHAUSTED%' THEN
			what := 'budget_exhausted';
			fact := format('budget %s %s %s %s', NEW.chain, NEW.user_id, b->>'code', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24'));
			told := json_build_object('code', b->'code', 'detail', b->'detail', 'job', b->'job');
		END IF;
	END CASE;
	IF what IS NOT NULL THEN
		PERFORM announce(NEW.chain, NEW.user_id, NEW.proposal_id, what, fact, told);
	END IF;
	IF what IN ('executed', 'failed') THEN
		PERFORM announce_failure_rate(NEW.chain);
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_events_announce AFTER INSERT ON interlock.audit_events
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.kind IN ('proposal.stored', 'override.stored', 'preflight.blocked', 'execution.recorded', 'execution.failed',
		'execution.unresolved', 'scan.ended'))
	EXECUTE FUNCTION interlock.announce_audit();

-- A state is also changed by programs that halt, so its row is the fact.
CREATE FUNCTION interlock.announce_control() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	PERFORM announce(NEW.scope, NULL, NULL, CASE NEW.state WHEN 'ACTIVE' THEN 'resumed' ELSE 'halted' END,
		format('control %s %s %s', NEW.scope, NEW.state, pg_current_xact_id()),
		json_build_object('state', NEW.state, 'before', OLD.state, 'actor', NEW.actor, 'reason', NEW.reason));
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER trading_controls_announce AFTER UPDATE ON interlock.trading_controls
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
	EXECUTE FUNCTION interlock.announce_control();

-- The audit repeats a difference as long as it is there; the row is made once.
CREATE FUNCTION interlock.announce_difference() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	owner trade_executions;
BEGIN
	SELECT * INTO owner FROM trade_executions WHERE account_id = NEW.account_id AND client_order_id = NEW.client_order_id;
	PERFORM announce(NEW.account_id, owner.user_id, owner.proposal_id, 'difference',
		format('difference %s %s %s %s', NEW.account_id, NEW.market, NEW.order_id, NEW.kind),
		json_build_object('difference', NEW.kind, 'market', NEW.market, 'orderId', NEW.order_id, 'detail', NEW.detail));
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER exchange_differences_announce AFTER INSERT ON interlock.exchange_differences
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION interlock.announce_difference();

-- A test takes the same way as everything else. Null: there is no such rule.
CREATE FUNCTION interlock.test_rule(rule text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	r notification_rules;
	f text := 'test ' || gen_random_uuid();
BEGIN
	SELECT * INTO r FROM notification_rules WHERE id = rule AND removed_at IS NULL;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM announce(r.account_id, r.user_id, NULL, 'test', f, json_build_object('rule', rule));
	RETURN (SELECT id FROM outbox WHERE fact = f);
END $$;

REVOKE ALL ON FUNCTION interlock.concerns, interlock.announce, interlock.may_execute_itself, interlock.announce_failure_rate,
	interlock.announce_audit, interlock.announce_control, interlock.announce_difference, interlock.test_rule FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.concerns TO interlock_api;
GRANT EXECUTE ON FUNCTION interlock.test_rule TO interlock_operator;
GRANT SELECT ON interlock.outbox TO interlock_proposals, interlock_api, interlock_operator;
GRANT SELECT ON interlock.notification_rules TO interlock_proposals;
GRANT SELECT ON interlock.deliveries TO interlock_proposals, interlock_operator;
GRANT UPDATE (attempts, due_at, delivered_at, given_up_at, last_error) ON interlock.deliveries TO interlock_proposals;
GRANT INSERT, SELECT (id, account_id, user_id, kinds, service, shown, created_by, created_at, removed_at),
	UPDATE ON interlock.notification_rules TO interlock_operator;
GRANT UPDATE (given_up_at, last_error) ON interlock.deliveries TO interlock_operator;

---- create above / drop below ----

DROP TRIGGER audit_events_announce ON interlock.audit_events;
DROP TRIGGER trading_controls_announce ON interlock.trading_controls;
DROP TRIGGER exchange_differences_announce ON interlock.exchange_differences;
DROP FUNCTION interlock.test_rule, interlock.announce_difference, interlock.announce_control, interlock.announce_audit,
	interlock.announce_failure_rate, interlock.may_execute_itself, interlock.announce, interlock.concerns;
DROP INDEX interlock.trade_executions_ended, interlock.scan_ideas_by_proposal;
DROP TABLE interlock.deliveries, interlock.notification_rules, interlock.outbox;

-- What role orders sees at the exchange is written by it and by nobody else,
-- and what is concluded from it by role proposals: an attempt has a reply
-- besides its verdict, a person's wish a reading, and an order an end.

ALTER TABLE interlock.order_attempts
	ADD COLUMN reply text CHECK (reply IN ('accepted', 'refused', 'not_sent', 'unknown')),
	-- Copies of the execution's, so that no order is taken for two of them.
	ADD COLUMN account_id text,
	ADD COLUMN market text;

ALTER TABLE interlock.order_attempts DISABLE TRIGGER order_attempts_keep;
UPDATE interlock.order_attempts a SET account_id = e.account_id, market = e.market
	FROM interlock.trade_executions e WHERE e.id = a.execution_id;
ALTER TABLE interlock.order_attempts ENABLE TRIGGER order_attempts_keep;
ALTER TABLE interlock.order_attempts ALTER COLUMN account_id SET NOT NULL, ALTER COLUMN market SET NOT NULL;
CREATE UNIQUE INDEX order_attempts_one_order ON interlock.order_attempts (account_id, market, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX order_attempts_recent ON interlock.order_attempts (account_id, market, begun_at) WHERE order_id IS NOT NULL;

CREATE FUNCTION interlock.place_attempt() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	SELECT account_id, market INTO NEW.account_id, NEW.market FROM trade_executions WHERE id = NEW.execution_id;
	RETURN NEW;
END $$;
CREATE TRIGGER order_attempts_place BEFORE INSERT ON interlock.order_attempts
	FOR EACH ROW EXECUTE FUNCTION interlock.place_attempt();

-- A sure reply is a verdict by itself; who writes the reply writes no other.
CREATE FUNCTION interlock.conclude_by_reply() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.reply IS NOT NULL THEN
		RAISE EXCEPTION 'attempt %/% has a reply', OLD.execution_id, OLD.number USING ERRCODE = 'restrict_violation';
	END IF;
	IF NEW.reply <> 'unknown' THEN
		NEW.verdict := NEW.reply;
		NEW.concluded_at := clock_timestamp();
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER order_attempts_reply BEFORE UPDATE ON interlock.order_attempts
	FOR EACH ROW WHEN (NEW.reply IS DISTINCT FROM OLD.reply) EXECUTE FUNCTION interlock.conclude_by_reply();

-- An accepted order once it could not change any more, as the exchange showed it.
CREATE TABLE interlock.final_orders (
	execution_id bigint PRIMARY KEY REFERENCES interlock.trade_executions,
	order_id     text NOT NULL,
	body         json NOT NULL,
	seen_by      text NOT NULL,
	seen_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER final_orders_immutable BEFORE UPDATE OR DELETE ON interlock.final_orders
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- What was read at the exchange for a person's wish about an execution.
CREATE TABLE interlock.order_readings (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	execution_id  bigint NOT NULL REFERENCES interlock.trade_executions,
	request_id    text NOT NULL, -- of the claim that was in force
	order_id      text NOT NULL DEFAULT '', -- that the person named; empty: there is none
	body          json, -- the order; null when it was not asked for, or not shown
	exchange_time timestamptz, -- exchange clock, read before the order
	problem       text NOT NULL DEFAULT '',
	read_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK (exchange_time IS NOT NULL OR problem <> ''),
	CHECK ((body IS NOT NULL) = (order_id <> '' AND problem = ''))
);
CREATE INDEX order_readings_by_execution ON interlock.order_readings (execution_id, id DESC);
CREATE TRIGGER order_readings_immutable BEFORE UPDATE OR DELETE ON interlock.order_readings
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();
CREATE TRIGGER order_looks_immutable BEFORE UPDATE OR DELETE ON interlock.order_looks
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- The scan that wrote a proposal, if its user's policy lets it execute without
-- a person; else empty.
CREATE FUNCTION interlock.executed_by_scan(proposal text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
	SELECT coalesce((SELECT 'scan:' || r.job_id FROM scan_ideas i JOIN scan_runs r ON r.id = i.run_id JOIN trade_proposals p ON p.id = i.proposal_id
		WHERE i.proposal_id = $1 AND i.outcome = 'proposed' AND may_execute_itself(p.user_id, p.account_id)), '')
$$;

REVOKE ALL ON FUNCTION interlock.place_attempt, interlock.conclude_by_reply, interlock.executed_by_scan FROM PUBLIC;
REVOKE INSERT, UPDATE ON interlock.order_attempts FROM interlock_proposals;
REVOKE INSERT ON interlock.order_attempts FROM interlock_orders;
REVOKE UPDATE (verdict, reply_code, reply_detail, order_id, concluded_at) ON interlock.order_attempts FROM interlock_orders;
REVOKE INSERT ON interlock.order_fills FROM interlock_proposals;
REVOKE INSERT, UPDATE ON interlock.trade_executions FROM interlock_proposals;

-- orders: begins attempts, and writes what it sees.
GRANT INSERT (execution_id, number, request_id, deadline, begun_by), UPDATE (reply, reply_code, reply_detail, order_id)
	ON interlock.order_attempts TO interlock_orders;
GRANT INSERT ON interlock.order_fills, interlock.final_orders, interlock.order_readings TO interlock_orders;

-- proposals: closes attempts that never began, and concludes.
GRANT INSERT (execution_id, number, request_id, deadline, begun_by, verdict, concluded_at), UPDATE (verdict, order_id, concluded_at)
	ON interlock.order_attempts TO interlock_proposals;
GRANT INSERT (user_id, proposal_id, account_id, market, side, client_order_id, status, plan, worst_quote, policy_version, request_id, claimed_at),
	UPDATE (status, plan, worst_quote, policy_version, request_id, claimed_at, followed_at, ended_at,
		order_id, order_status, filled_amount, filled_quote, fee_paid, fee_currency)
	ON interlock.trade_executions TO interlock_proposals;
GRANT SELECT ON interlock.final_orders, interlock.order_readings
	TO interlock_proposals, interlock_orders, interlock_api, interlock_operator;
GRANT EXECUTE ON FUNCTION interlock.executed_by_scan TO interlock_proposals;

---- create above / drop below ----

DROP FUNCTION interlock.executed_by_scan;
REVOKE INSERT (user_id, proposal_id, account_id, market, side, client_order_id, status, plan, worst_quote, policy_version, request_id, claimed_at),
	UPDATE (status, plan, worst_quote, policy_version, request_id, claimed_at, followed_at, ended_at,
		order_id, order_status, filled_amount, filled_quote, fee_paid, fee_currency)
	ON interlock.trade_executions FROM interlock_proposals;
REVOKE INSERT (execution_id, number, request_id, deadline, begun_by, verdict, concluded_at), UPDATE (verdict, order_id, concluded_at)
	ON interlock.order_attempts FROM interlock_proposals;
REVOKE INSERT ON interlock.order_fills FROM interlock_orders;
REVOKE INSERT (execution_id, number, request_id, deadline, begun_by), UPDATE (reply, reply_code, reply_detail, order_id)
	ON interlock.order_attempts FROM interlock_orders;
GRANT INSERT, UPDATE ON interlock.trade_executions, interlock.order_attempts TO interlock_proposals;
GRANT INSERT ON interlock.order_fills TO interlock_proposals;
GRANT INSERT ON interlock.order_attempts TO interlock_orders;
GRANT UPDATE (verdict, reply_code, reply_detail, order_id, concluded_at) ON interlock.order_attempts TO interlock_orders;
DROP TRIGGER order_looks_immutable ON interlock.order_looks;
DROP TABLE interlock.order_readings, interlock.final_orders;
DROP TRIGGER order_attempts_reply ON interlock.order_attempts;
DROP TRIGGER order_attempts_place ON interlock.order_attempts;
DROP FUNCTION interlock.conclude_by_reply, interlock.place_attempt;
DROP INDEX interlock.order_attempts_one_order, interlock.order_attempts_recent;
ALTER TABLE interlock.order_attempts DROP COLUMN reply, DROP COLUMN account_id, DROP COLUMN market;

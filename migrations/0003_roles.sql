-- Each process may do its own work and nothing else. These are group roles
-- without login; a deployment grants each of its logins exactly one.

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['interlock_proposals', 'interlock_orders', 'interlock_scans', 'interlock_api', 'interlock_operator'] LOOP
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', name);
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL; -- roles belong to the server: another database may have made it
		END;
	END LOOP;
END $$;

-- Locks that a reader may take without the right to write what it locks.

-- The account lock, then the user's: trade counts are per user, over accounts.
CREATE FUNCTION interlock.lock_for_proposal(proposal text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	owner trade_proposals;
BEGIN
	SELECT * INTO owner FROM trade_proposals WHERE id = proposal;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM 1 FROM accounts WHERE id = owner.account_id FOR NO KEY UPDATE;
	PERFORM pg_advisory_xact_lock(hashtextextended('interlock user ' || owner.user_id, 0));
	RETURN true;
END $$;

-- The trading state under a share lock: a halt waits for whoever holds it, and
-- whoever comes after a halt's commit sees it. A missing row is a halt.
CREATE FUNCTION interlock.lock_trading_state(account text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	control trading_controls;
	strictest text := 'ACTIVE';
	rows int := 0;
BEGIN
	FOR control IN SELECT * FROM trading_controls WHERE scope IN ('*', account) ORDER BY scope FOR SHARE LOOP
		rows := rows + 1;
		IF control.state = 'HALTED' OR (control.state = 'REDUCING' AND strictest = 'ACTIVE') THEN
			strictest := control.state;
		END IF;
	END LOOP;
	RETURN CASE WHEN rows = 2 THEN strictest ELSE 'HALTED' END;
END $$;

-- A program may stop trading; only an operator may resume it.
CREATE FUNCTION interlock.raise_halt(account text, actor text, reason text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
	UPDATE trading_controls SET state = 'HALTED', actor = $2, reason = $3, changed_at = clock_timestamp()
	WHERE scope = $1 AND state <> 'HALTED';
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA interlock FROM PUBLIC;
GRANT USAGE ON SCHEMA interlock TO interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;
GRANT EXECUTE ON FUNCTION interlock.audit_append, interlock.database_id
	TO interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;
GRANT EXECUTE ON FUNCTION interlock.audit_hash, interlock.audit_field TO interlock_operator, interlock_api;
GRANT EXECUTE ON FUNCTION interlock.lock_for_proposal TO interlock_proposals;
GRANT EXECUTE ON FUNCTION interlock.lock_trading_state, interlock.raise_halt TO interlock_proposals, interlock_orders;

GRANT SELECT ON interlock.installation, interlock.accounts, interlock.trading_policies, interlock.trade_proposals,
	interlock.verdicts, interlock.overrides, interlock.trade_executions, interlock.order_attempts, interlock.order_looks,
	interlock.order_fills, interlock.trade_history, interlock.market_facts, interlock.exchange_clocks,
	interlock.trading_controls, interlock.reconciliations, interlock.exchange_differences
	TO interlock_proposals, interlock_api, interlock_operator;
GRANT SELECT ON interlock.schema_version, interlock.installation, interlock.accounts
	TO interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;

-- proposals: the life of a proposal, its claim, its conclusion, its record.
GRANT UPDATE (status, failure_code, failure_detail, exchange_code, policy_version, updated_at, cancel_actor, cancel_reason, workflow_seen_at)
	ON interlock.trade_proposals TO interlock_proposals;
GRANT INSERT, UPDATE ON interlock.trade_executions, interlock.order_attempts, interlock.overrides TO interlock_proposals;
GRANT INSERT ON interlock.verdicts, interlock.order_fills, interlock.trade_history TO interlock_proposals;
GRANT INSERT, UPDATE ON interlock.exchange_differences TO interlock_proposals;

-- orders: attempts, looks, what the exchange has. It cannot claim, nor record.
GRANT SELECT ON interlock.trade_executions, interlock.trade_proposals, interlock.order_attempts, interlock.order_looks,
	interlock.order_fills, interlock.market_facts, interlock.trading_policies, interlock.trading_controls, interlock.reconciliations, interlock.exchange_differences
	TO interlock_orders;
GRANT UPDATE (followed_at) ON interlock.trade_executions TO interlock_orders;
GRANT INSERT ON interlock.order_attempts, interlock.order_looks, interlock.reconciliations, interlock.exchange_differences TO interlock_orders;
GRANT UPDATE (verdict, reply_code, reply_detail, order_id, concluded_at) ON interlock.order_attempts TO interlock_orders;
GRANT UPDATE ON interlock.exchange_differences TO interlock_orders;

-- scans: what the market looks like.
GRANT SELECT, INSERT, UPDATE ON interlock.market_facts, interlock.exchange_clocks TO interlock_scans;
GRANT SELECT ON interlock.trade_proposals, interlock.trading_policies TO interlock_scans;

-- api: stores what users ask for; it cannot claim, place, record or resume.
GRANT INSERT ON interlock.trade_proposals, interlock.trading_policies TO interlock_api, interlock_operator;
GRANT UPDATE (workflow_seen_at) ON interlock.trade_proposals TO interlock_api, interlock_operator;
GRANT SELECT ON interlock.api_tokens TO interlock_api, interlock_operator;
GRANT SELECT ON interlock.audit_events, interlock.audit_heads TO interlock_api, interlock_operator;

-- operator: the people behind the command line.
GRANT INSERT, UPDATE ON interlock.api_tokens, interlock.accounts, interlock.trading_controls TO interlock_operator;
GRANT INSERT ON interlock.trade_history TO interlock_operator;

---- create above / drop below ----

-- Dropping the grants is enough: roles belong to the server, and another
-- database on it may use them.
DROP FUNCTION interlock.raise_halt, interlock.lock_trading_state, interlock.lock_for_proposal;
REVOKE ALL ON ALL TABLES IN SCHEMA interlock FROM interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA interlock FROM interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;
REVOKE ALL ON SCHEMA interlock FROM interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA interlock TO PUBLIC;

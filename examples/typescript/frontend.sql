-- A login for a frontend's backend that stores proposals itself. It may store
-- one and read it, and nothing else: no status, policy, claim or trade.
--
--     psql "$OWNER_URL" -v login=frontend -v password=... -f frontend.sql

CREATE ROLE :"login" LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA interlock TO :"login";
GRANT INSERT (id, user_id, account_id, market, side, order_type, amount, amount_quote, price, confidence, rationale, source, expires_at),
	SELECT (id, user_id, account_id, market, side, order_type, amount, amount_quote, price, confidence, rationale, source, expires_at, status)
	ON interlock.trade_proposals TO :"login";

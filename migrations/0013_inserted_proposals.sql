-- A proposal that another program inserts has a beginning in the audit too,
-- written at the commit of its insert. What this program stores tells it itself
-- and names its actor; of others the database knows only the login.

CREATE FUNCTION interlock.audit_inserted_proposal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM audit_events WHERE proposal_id = NEW.id AND kind = 'proposal.stored') THEN
		RETURN NULL;
	END IF;
	PERFORM audit_append(NEW.account_id, 'proposal.stored', NEW.user_id, NEW.id, 'database login ' || session_user,
		json_strip_nulls(json_build_object('id', NEW.id, 'userId', NEW.user_id, 'accountId', NEW.account_id,
			'market', NEW.market, 'side', NEW.side, 'orderType', NEW.order_type,
			'amount', trim_scale(NEW.amount)::text, 'amountQuote', trim_scale(NEW.amount_quote)::text,
			'price', trim_scale(NEW.price)::text, 'expectedPrice', trim_scale(NEW.expected_price)::text,
			'confidence', trim_scale(NEW.confidence)::text,
			'rationale', nullif(NEW.rationale, ''), 'source', nullif(NEW.source, ''),
			'policyVersion', nullif(NEW.policy_version, 0), 'status', NEW.status,
			'createdAt', NEW.created_at, 'expiresAt', NEW.expires_at)));
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER trade_proposals_audit AFTER INSERT ON interlock.trade_proposals
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION interlock.audit_inserted_proposal();

REVOKE ALL ON FUNCTION interlock.audit_inserted_proposal FROM PUBLIC;

---- create above / drop below ----

DROP TRIGGER trade_proposals_audit ON interlock.trade_proposals;
DROP FUNCTION interlock.audit_inserted_proposal;

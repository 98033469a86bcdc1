-- Overrides as facts: bound to the policy version and the price that they were
-- given under, by whom the API has verified, confirmed by a second person where
-- the policy asks for four eyes. That somebody was verified can be written by
-- role api alone: it is the only door that checks.

ALTER TABLE interlock.overrides
	ADD COLUMN identity text CHECK (identity <> ''),
	ADD COLUMN request_id text, -- of the only request that may use it; null: any
	ADD COLUMN policy_version int NOT NULL DEFAULT 0,
	ADD COLUMN reference_price numeric CHECK (reference_price > 0 AND reference_price < 'Infinity'),
	ADD CHECK (verified = (identity IS NOT NULL));

CREATE TABLE interlock.override_confirmations (
	proposal_id  text NOT NULL,
	override_id  text NOT NULL,
	identity     text NOT NULL CHECK (identity <> ''), -- of whom the API has verified
	reason       text NOT NULL CHECK (reason <> ''),
	confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (proposal_id, override_id, identity),
	FOREIGN KEY (proposal_id, override_id) REFERENCES interlock.overrides (proposal_id, id)
);
CREATE TRIGGER override_confirmations_immutable BEFORE UPDATE OR DELETE ON interlock.override_confirmations
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

REVOKE INSERT, UPDATE ON interlock.overrides FROM interlock_proposals;
GRANT INSERT (id, proposal_id, cooldown, anti_flip, actor, reason, via, request_id, policy_version, reference_price, stored_at, expires_at),
	UPDATE (consumed_by) ON interlock.overrides TO interlock_proposals;
GRANT INSERT (id, proposal_id, cooldown, anti_flip, actor, verified, identity, reason, via, request_id, policy_version, reference_price, expires_at)
	ON interlock.overrides TO interlock_api;
GRANT INSERT ON interlock.override_confirmations TO interlock_api;
GRANT SELECT ON interlock.override_confirmations TO interlock_proposals, interlock_api, interlock_operator;
GRANT EXECUTE ON FUNCTION interlock.lock_for_proposal TO interlock_api;

---- create above / drop below ----

REVOKE EXECUTE ON FUNCTION interlock.lock_for_proposal FROM interlock_api;
DROP TABLE interlock.override_confirmations;
REVOKE INSERT (id, proposal_id, cooldown, anti_flip, actor, verified, identity, reason, via, request_id, policy_version, reference_price, expires_at)
	ON interlock.overrides FROM interlock_api;
REVOKE INSERT (id, proposal_id, cooldown, anti_flip, actor, reason, via, request_id, policy_version, reference_price, stored_at, expires_at),
	UPDATE (consumed_by) ON interlock.overrides FROM interlock_proposals;
GRANT INSERT, UPDATE ON interlock.overrides TO interlock_proposals;
ALTER TABLE interlock.overrides DROP COLUMN identity, DROP COLUMN request_id, DROP COLUMN policy_version, DROP COLUMN reference_price;

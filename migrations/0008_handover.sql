-- What an earlier system did before this one took over. A proposal that it
-- began, however that ended, is never executed here: its order may exist.

CREATE TABLE interlock.closed_elsewhere (
	proposal_id text PRIMARY KEY,
	user_id     text NOT NULL, -- as the other system calls them
	status      text NOT NULL, -- there, when it was read
	source      text NOT NULL,
	noted_by    text NOT NULL CHECK (noted_by <> ''),
	noted_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER closed_elsewhere_immutable BEFORE UPDATE OR DELETE ON interlock.closed_elsewhere
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- Where a trade of another program was read; null for our own and for those
-- that were inserted by hand. The same row never counts twice.
ALTER TABLE interlock.trade_history ADD COLUMN source_key text UNIQUE CHECK (source_key <> '');

-- Whoever stores a proposal and whoever closes its ID see each other: the one
-- takes the turn shared, the other alone.
CREATE FUNCTION interlock.refuse_closed_elsewhere() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	other closed_elsewhere;
BEGIN
	PERFORM pg_advisory_xact_lock_shared(hashtextextended('interlock closed elsewhere', 0));
	SELECT * INTO other FROM closed_elsewhere WHERE proposal_id = NEW.id;
	IF FOUND THEN
		RAISE EXCEPTION 'proposal % is % in the earlier system, which began it: propose it under a new ID', NEW.id, other.status
			USING ERRCODE = 'unique_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER trade_proposals_elsewhere BEFORE INSERT ON interlock.trade_proposals
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_closed_elsewhere();

-- Closes an ID for ever, and the proposal that bears it here, if one does and
-- is not claimed. Returns whether the ID is new, and the status here before.
CREATE FUNCTION interlock.close_elsewhere(proposal text, owner text, status_there text, origin text, actor text,
	OUT fresh boolean, OUT status_here text, OUT account text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('interlock closed elsewhere', 0));
	INSERT INTO closed_elsewhere (proposal_id, user_id, status, source, noted_by)
	VALUES (proposal, owner, status_there, origin, actor) ON CONFLICT DO NOTHING;
	fresh := FOUND;
	IF NOT lock_for_proposal(proposal) THEN
		RETURN;
	END IF;
	SELECT status, account_id INTO status_here, account FROM trade_proposals WHERE id = proposal;
	UPDATE trade_proposals SET status = 'CANCELLED', updated_at = clock_timestamp(), cancel_actor = actor,
		cancel_reason = format('it is %s in the earlier system', status_there)
	WHERE id = proposal AND status IN ('PENDING', 'FAILED');
END $$;

REVOKE ALL ON FUNCTION interlock.refuse_closed_elsewhere, interlock.close_elsewhere FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.close_elsewhere TO interlock_operator;
GRANT SELECT ON interlock.closed_elsewhere TO interlock_proposals, interlock_api, interlock_operator;

---- create above / drop below ----

DROP TRIGGER trade_proposals_elsewhere ON interlock.trade_proposals;
DROP FUNCTION interlock.close_elsewhere, interlock.refuse_closed_elsewhere;
ALTER TABLE interlock.trade_history DROP COLUMN source_key;
DROP TABLE interlock.closed_elsewhere;

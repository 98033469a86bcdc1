-- A database may be a copy of itself: restored, or promoted with commits lost,
-- or merely restarted, which looks the same from inside. What its lost future
-- sent may still be on its way to the exchange. So every life of a database is
-- dated, and what an earlier life may have lost can be asked.

CREATE TABLE interlock.database_lives (
	database_id text PRIMARY KEY,
	began_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER database_lives_immutable BEFORE UPDATE OR DELETE ON interlock.database_lives
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- The life in which an account was made can have lost nothing of it. Nothing
-- is known of accounts that are older than this column.
ALTER TABLE interlock.accounts ADD COLUMN created_in text NOT NULL DEFAULT '';
ALTER TABLE interlock.accounts ALTER COLUMN created_in SET DEFAULT interlock.database_id();

-- Dates this life from its first worker. The postmaster's start would be too
-- early: a copy may be brought up beside the server that it replaces.
CREATE FUNCTION interlock.begin_life() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
	INSERT INTO database_lives (database_id) VALUES (interlock.database_id()) ON CONFLICT DO NOTHING
$$;

-- Null until this life has begun.
CREATE FUNCTION interlock.life_began_at() RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT began_at FROM interlock.database_lives WHERE database_id = interlock.database_id()
$$;

-- From when on a comparison sees whatever a lost future of this account sent:
-- its last request has acted within access_window, and is shown read_lag later.
-- Null means not yet.
CREATE FUNCTION interlock.comparable_from(account text, access_window interval) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN created_in = interlock.database_id() THEN created_at
		ELSE interlock.life_began_at() + access_window + read_lag END
	FROM interlock.accounts WHERE id = account
$$;

-- Whether an earlier life may have known more of what began at an instant than
-- this one does.
CREATE FUNCTION interlock.may_have_lost(account text, begun timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT created_in <> interlock.database_id() AND coalesce(begun < interlock.life_began_at(), true)
	FROM interlock.accounts WHERE id = account
$$;

REVOKE ALL ON FUNCTION interlock.begin_life, interlock.life_began_at, interlock.comparable_from, interlock.may_have_lost FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.begin_life TO interlock_orders, interlock_scans;
GRANT EXECUTE ON FUNCTION interlock.life_began_at, interlock.comparable_from, interlock.may_have_lost
	TO interlock_proposals, interlock_orders, interlock_api, interlock_operator;
GRANT SELECT ON interlock.database_lives TO interlock_proposals, interlock_orders, interlock_api, interlock_operator;

---- create above / drop below ----

DROP FUNCTION interlock.begin_life, interlock.may_have_lost, interlock.comparable_from, interlock.life_began_at;
ALTER TABLE interlock.accounts DROP COLUMN created_in;
DROP TABLE interlock.database_lives;

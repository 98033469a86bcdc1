-- What other programs, other clocks and other versions may do to the records:
-- a time or a number that nobody can read is refused; a trade counts from its
-- own claim on, and not from after it was recorded; what an override knew is
-- what was visible when it was stored; a run is told again ever more seldom; and
-- a schema says which older programs it still serves.

-- Whom a schema serves beside the programs that know it: those that know at
-- least version oldest. A version without a row serves nobody else.
CREATE TABLE interlock.schema_serves (
	version int PRIMARY KEY,
	oldest  int NOT NULL,
	CHECK (oldest > 0 AND oldest <= version)
);
GRANT SELECT ON interlock.schema_serves
	TO interlock_proposals, interlock_orders, interlock_scans, interlock_api, interlock_operator;

-- How often the run of an open execution was told since somebody last followed it.
ALTER TABLE interlock.trade_executions
	ADD COLUMN told_at timestamptz,
	ADD COLUMN told int NOT NULL DEFAULT 0 CHECK (told >= 0);
GRANT UPDATE (told, told_at) ON interlock.trade_executions TO interlock_proposals;

-- Which transaction wrote a row, and in which life of the database: numbers of
-- transactions mean nothing beyond it. Null: before this was kept.
ALTER TABLE interlock.trade_history ADD COLUMN written_in text, ADD COLUMN written_by xid8;
ALTER TABLE interlock.trade_executions ADD COLUMN claimed_in text, ADD COLUMN claimed_by xid8;
ALTER TABLE interlock.overrides ADD COLUMN stored_in text, ADD COLUMN saw pg_snapshot;
ALTER TABLE interlock.overrides
	ALTER COLUMN stored_in SET DEFAULT interlock.database_id(),
	ALTER COLUMN saw SET DEFAULT pg_current_snapshot();

-- Whether what was written was visible to whoever took the snapshot. Of two
-- lives only one order is certain: this one comes after all others.
CREATE FUNCTION interlock.was_visible(written_in text, written_by xid8, stored_in text, saw pg_snapshot) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN written_in = stored_in THEN pg_visible_in_snapshot(written_by, saw)
		ELSE coalesce(stored_in = interlock.database_id(), false) END
$$;
REVOKE ALL ON FUNCTION interlock.was_visible FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.was_visible TO interlock_proposals;

CREATE FUNCTION interlock.mark_claim() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	NEW.claimed_in := database_id();
	NEW.claimed_by := pg_current_xact_id();
	RETURN NEW;
END $$;
CREATE TRIGGER trade_executions_mark BEFORE INSERT OR UPDATE OF claimed_at ON interlock.trade_executions
	FOR EACH ROW EXECUTE FUNCTION interlock.mark_claim();

-- From when on a trade counts, by our clock. Clocks and stamps of others may be
-- wrong: nothing traded before its own claim, nor after it was recorded.
ALTER TABLE interlock.trade_history ADD COLUMN counts_from timestamptz;
UPDATE interlock.trade_history h SET counts_from = least(greatest(h.executed_at,
	(SELECT e.claimed_at FROM interlock.trade_executions e WHERE e.id = h.execution_id)), h.recorded_at);
ALTER TABLE interlock.trade_history ALTER COLUMN counts_from SET NOT NULL;

-- It runs after trade_history_normalise, which says when the row was recorded.
CREATE FUNCTION interlock.stamp_trade() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.written_in := database_id();
		NEW.written_by := pg_current_xact_id();
	END IF;
	NEW.counts_from := least(greatest(NEW.executed_at,
		(SELECT claimed_at FROM trade_executions WHERE id = NEW.execution_id)), NEW.recorded_at);
	RETURN NEW;
END $$;
CREATE TRIGGER trade_history_stamp BEFORE INSERT OR UPDATE ON interlock.trade_history
	FOR EACH ROW EXECUTE FUNCTION interlock.stamp_trade();
DROP INDEX interlock.trade_history_by_user; -- by the time that nothing counts by any more
CREATE INDEX trade_history_counting ON interlock.trade_history (user_id, counts_from);

REVOKE ALL ON FUNCTION interlock.mark_claim, interlock.stamp_trade FROM PUBLIC;

-- Every time and every number of every table can be written as JSON and
-- computed with; tokens can be added up, and milliseconds are a duration of 64
-- bits in nanoseconds. A value that is there and cannot is for a person to correct: only
-- whoever wrote it knows what it meant. Left out is what only functions of ours
-- write, and where an endless time means never.
DO $range$
DECLARE
	c     record;
	bad   bigint;
	found text;
BEGIN
	FOR c IN
		SELECT t.relname AS name, a.attname AS col, CASE a.atttypid
			WHEN 'timestamptz'::regtype THEN format($$%1$I >= timestamptz '0001-01-01 00:00:00+00' AND %1$I < timestamptz '9999-01-01 00:00:00+00'$$, a.attname)
			WHEN 'interval'::regtype THEN format($$%1$I >= interval '0' AND %1$I <= interval '1 day'$$, a.attname)
			WHEN 'numeric'::regtype THEN format('%1$I > -1e36 AND %1$I < 1e36 AND scale(%1$I) <= 100', a.attname)
			ELSE format('%1$I BETWEEN %2$s AND -(%2$s)', a.attname, CASE a.attname WHEN 'ahead_ms' THEN -9223372036854 ELSE -1e12::bigint END) END AS rule
		FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE t.relnamespace = 'interlock'::regnamespace AND t.relkind = 'r' AND t.relname <> 'request_budgets'
			AND (a.atttypid IN ('timestamptz'::regtype, 'interval'::regtype, 'numeric'::regtype)
				OR (t.relname, a.attname) IN (('gpt_usage_log', 'tokens'), ('gpt_usage_log', 'reserved_tokens'), ('exchange_clocks', 'ahead_ms')))
		ORDER BY t.relname, a.attnum
	LOOP
		EXECUTE format('SELECT count(*) FROM interlock.%I WHERE NOT (%s)', c.name, c.rule) INTO bad;
		IF bad > 0 THEN
			found := concat_ws(', ', found, format('%s of %s.%s', bad, c.name, c.col));
		ELSE
			EXECUTE format('ALTER TABLE interlock.%I ADD CONSTRAINT %I CHECK (%s)', c.name, c.name || '_' || c.col || '_range', c.rule);
		END IF;
	END LOOP;
	IF found IS NOT NULL THEN
		RAISE EXCEPTION 'values that nobody can read, like infinity or NaN: %; correct these rows as the owner of the database (times from year 1 to 9998, numbers below 1e36), then migrate again', found;
	END IF;
END $range$;

---- create above / drop below ----

DO $range$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT conrelid::regclass AS name, conname FROM pg_constraint
		WHERE connamespace = 'interlock'::regnamespace AND contype = 'c' AND conname LIKE '%\_range'
	LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.name, c.conname);
	END LOOP;
END $range$;
DROP TRIGGER trade_history_stamp ON interlock.trade_history;
DROP TRIGGER trade_executions_mark ON interlock.trade_executions;
DROP FUNCTION interlock.stamp_trade, interlock.mark_claim, interlock.was_visible;
ALTER TABLE interlock.trade_history DROP COLUMN counts_from, DROP COLUMN written_in, DROP COLUMN written_by;
CREATE INDEX trade_history_by_user ON interlock.trade_history (user_id, executed_at);
ALTER TABLE interlock.overrides DROP COLUMN stored_in, DROP COLUMN saw;
ALTER TABLE interlock.trade_executions DROP COLUMN claimed_in, DROP COLUMN claimed_by, DROP COLUMN told_at, DROP COLUMN told;
DROP TABLE interlock.schema_serves;

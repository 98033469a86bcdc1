-- How many requests left with an account's trade key in the last moments, over
-- all its workers, and what the exchange said of its own budget. Unlogged: a
-- grant must not wait for the disk, and after a crash of the database more time
-- has passed than is remembered here.

CREATE UNLOGGED TABLE interlock.request_budgets (
	account_id   text PRIMARY KEY REFERENCES interlock.accounts,
	-- Grants per tenth of a second, newest first; slot numbers the newest.
	slot         bigint NOT NULL DEFAULT 0,
	used         int[] NOT NULL DEFAULT array_fill(0, ARRAY[12]),
	weight_limit int NOT NULL DEFAULT 0,
	weight_left  int NOT NULL DEFAULT 0,
	reset_at     timestamptz NOT NULL DEFAULT '-infinity',
	banned_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- Grants one request if fewer than most were granted in the last twelve slots,
-- the exchange has enough weight left, and nobody is banned; else says how long
-- to wait. spent are requests sent while this database could not be asked.
CREATE FUNCTION interlock.take_request(account text, most int, floor_permille int, spent int,
	OUT granted boolean, OUT wait_ms bigint, OUT reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
	b request_budgets;
	now_at timestamptz;
	now_slot bigint;
	total int;
BEGIN
	SELECT * INTO b FROM request_budgets WHERE account_id = account FOR UPDATE;
	IF NOT FOUND THEN
		INSERT INTO request_budgets (account_id) VALUES (account) ON CONFLICT DO NOTHING;
		SELECT * INTO STRICT b FROM request_budgets WHERE account_id = account FOR UPDATE;
	END IF;
	now_at := clock_timestamp(); -- after the lock: who waited for it is not late
	now_slot := floor(extract(epoch FROM now_at) * 10);
	total := (SELECT sum(u) FROM unnest(b.used) u) + spent;
	IF now_slot < b.slot THEN -- the clock was set back: what is known counts as just now
		b.used := total || array_fill(0, ARRAY[11]);
	ELSIF now_slot - b.slot >= 12 THEN
		b.used := spent || array_fill(0, ARRAY[11]);
	ELSE
		b.used := array_fill(0, ARRAY[(now_slot - b.slot)::int]) || b.used[1:12 - (now_slot - b.slot)::int];
		b.used[1] := b.used[1] + spent;
	END IF;
	total := (SELECT sum(u) FROM unnest(b.used) u);
	granted := false;
	IF now_at < b.banned_until THEN
		reason := 'the exchange turns this account away';
		wait_ms := ceil(extract(epoch FROM b.banned_until - now_at) * 1000);
	ELSIF now_at < b.reset_at AND b.weight_left::bigint * 1000 < b.weight_limit::bigint * floor_permille THEN
		reason := format('the exchange has %s of %s weight left', b.weight_left, b.weight_limit);
		wait_ms := ceil(extract(epoch FROM b.reset_at - now_at) * 1000);
	ELSIF total < most THEN
		granted := true;
		wait_ms := 0;
		reason := '';
		b.used[1] := b.used[1] + 1;
	ELSE
		reason := format('%s requests just left', total);
		FOR i IN REVERSE 12..1 LOOP
			total := total - b.used[i];
			wait_ms := ceil((now_slot + 13 - i) * 100 - extract(epoch FROM now_at) * 1000);
			EXIT WHEN total < most;
		END LOOP;
	END IF;
	UPDATE request_budgets SET slot = now_slot, used = b.used WHERE account_id = account;
END $$;

-- Writes down what the exchange said. Replies overtake each other: within one
-- window the lowest figure holds, and a ban is never shortened.
CREATE FUNCTION interlock.heed_exchange(account text, weight_limit int, weight_left int, reset_ms bigint, ban_ms bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = interlock, pg_temp SET lock_timeout = '1s' AS $$
	INSERT INTO request_budgets AS b (account_id, weight_limit, weight_left, reset_at, banned_until)
	VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 ms', clock_timestamp() + $5 * interval '1 ms')
	ON CONFLICT (account_id) DO UPDATE SET
		weight_limit = CASE WHEN $2 > 0 THEN $2 ELSE b.weight_limit END,
		weight_left = CASE
			WHEN $2 <= 0 THEN b.weight_left
			WHEN clock_timestamp() < b.reset_at AND excluded.reset_at < b.reset_at + interval '10 s' THEN least(b.weight_left, $3)
			ELSE $3 END,
		reset_at = CASE WHEN $2 > 0 THEN greatest(b.reset_at, excluded.reset_at) ELSE b.reset_at END,
		banned_until = greatest(b.banned_until, excluded.banned_until)
$$;

REVOKE ALL ON FUNCTION interlock.take_request, interlock.heed_exchange FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.take_request, interlock.heed_exchange TO interlock_orders;
GRANT SELECT ON interlock.request_budgets TO interlock_api, interlock_operator;

---- create above / drop below ----

DROP FUNCTION interlock.take_request, interlock.heed_exchange;
DROP TABLE interlock.request_budgets;

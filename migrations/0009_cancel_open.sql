-- A halt may ask that every open order of an account be cancelled. The wish is
-- a row, committed with the halt, so it outlives whoever asked and whoever
-- carries it out; orders workers find it by looking here, without Temporal.

CREATE TABLE interlock.cancel_opens (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account_id   text NOT NULL REFERENCES interlock.accounts,
	actor        text NOT NULL CHECK (actor <> ''),
	reason       text NOT NULL CHECK (reason <> ''),
	requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	-- Who carries it out. Cancelling twice does no harm: the lease saves requests.
	worker       text NOT NULL DEFAULT '',
	leased_until timestamptz,
	looked_at    timestamptz, -- when the last look was finished
	obstacles    json NOT NULL DEFAULT '[]', -- what it left in the way
	completed_at timestamptz,
	given_up_at  timestamptz,
	given_up_by  text,
	CHECK (completed_at IS NULL OR given_up_at IS NULL),
	CHECK ((given_up_at IS NULL) = (given_up_by IS NULL))
);
CREATE UNIQUE INDEX cancel_opens_one_under_way ON interlock.cancel_opens (account_id)
	WHERE completed_at IS NULL AND given_up_at IS NULL;

CREATE TABLE interlock.cancel_open_orders (
	cancel_open_id  bigint NOT NULL REFERENCES interlock.cancel_opens,
	market          text NOT NULL,
	order_id        text NOT NULL,
	client_order_id text NOT NULL DEFAULT '',
	proposal_id     text NOT NULL DEFAULT '',
	result          text NOT NULL CHECK (result IN ('open', 'cancelled', 'over', 'foreign')),
	order_status    text NOT NULL DEFAULT '',
	filled_amount   numeric NOT NULL DEFAULT 0 CHECK (filled_amount >= 0),
	tries           int NOT NULL DEFAULT 1 CHECK (tries > 0),
	detail          text NOT NULL DEFAULT '',
	first_seen_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (cancel_open_id, market, order_id)
);

-- What has ended stays as it ended, whoever writes.
CREATE FUNCTION interlock.keep_cancel_open() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.completed_at IS NOT NULL OR OLD.given_up_at IS NOT NULL THEN
		RAISE EXCEPTION 'cancel-open % is over', OLD.id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER cancel_opens_keep BEFORE UPDATE ON interlock.cancel_opens
	FOR EACH ROW EXECUTE FUNCTION interlock.keep_cancel_open();
CREATE TRIGGER cancel_opens_no_delete BEFORE DELETE ON interlock.cancel_opens
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();
CREATE TRIGGER cancel_open_orders_no_delete BEFORE DELETE ON interlock.cancel_open_orders
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

-- Halts an account and says whether that was new: the halt of a program must
-- be told once, and never replace a person's.
CREATE FUNCTION interlock.halt_unless_halted(account text, actor text, reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
BEGIN
	UPDATE trading_controls SET state = 'HALTED', actor = $2, reason = $3, changed_at = clock_timestamp()
	WHERE scope = $1 AND state <> 'HALTED';
	RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION interlock.halt_unless_halted, interlock.keep_cancel_open FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.halt_unless_halted TO interlock_proposals;
GRANT SELECT ON interlock.cancel_opens, interlock.cancel_open_orders TO interlock_orders, interlock_api, interlock_operator;

-- operator: asks, and gives up. orders: carries out.
GRANT INSERT (account_id, actor, reason), UPDATE (given_up_at, given_up_by) ON interlock.cancel_opens TO interlock_operator;
GRANT UPDATE (worker, leased_until, looked_at, obstacles, completed_at) ON interlock.cancel_opens TO interlock_orders;
GRANT INSERT, UPDATE ON interlock.cancel_open_orders TO interlock_orders;

---- create above / drop below ----

DROP FUNCTION interlock.halt_unless_halted;
DROP TABLE interlock.cancel_open_orders, interlock.cancel_opens;
DROP FUNCTION interlock.keep_cancel_open;

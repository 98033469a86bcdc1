-- What a person says of an accepted order whose status nobody knows the meaning
-- of: that it is over. It counts only while the exchange shows such a status.

CREATE TABLE interlock.order_resolutions (
	execution_id bigint PRIMARY KEY REFERENCES interlock.trade_executions,
	order_id     text NOT NULL,
	actor        text NOT NULL CHECK (actor <> ''),
	reason       text NOT NULL CHECK (reason <> ''),
	resolved_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT order_resolutions_resolved_at_range
		CHECK (resolved_at >= timestamptz '0001-01-01 00:00:00+00' AND resolved_at < timestamptz '9999-01-01 00:00:00+00')
);
CREATE TRIGGER order_resolutions_immutable BEFORE UPDATE OR DELETE ON interlock.order_resolutions
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();

GRANT INSERT (execution_id, order_id, actor, reason) ON interlock.order_resolutions TO interlock_proposals;
GRANT SELECT ON interlock.order_resolutions TO interlock_proposals, interlock_orders, interlock_api, interlock_operator;

---- create above / drop below ----

DROP TABLE interlock.order_resolutions;

-- The audit: one hash chain per account ('*' for what concerns all of them).
-- A row is appended as the last statement of the transaction whose state it
-- reports, under the chain's own row lock, so numbers have no gaps and a
-- rollback takes its row with it.

CREATE TABLE interlock.audit_heads (
	chain text PRIMARY KEY,
	seq   bigint NOT NULL,
	hash  bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE TABLE interlock.audit_events (
	chain       text NOT NULL,
	seq         bigint NOT NULL CHECK (seq > 0),
	at          timestamptz NOT NULL,
	kind        text NOT NULL,
	user_id     text,
	proposal_id text,
	actor       text,
	body        json NOT NULL, -- json, not jsonb: the text is what was hashed
	prev_hash   bytea NOT NULL,
	hash        bytea NOT NULL,
	PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_events_by_proposal ON interlock.audit_events (proposal_id, at);

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON interlock.audit_events
	FOR EACH ROW EXECUTE FUNCTION interlock.refuse_change();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON interlock.audit_events
	FOR EACH STATEMENT EXECUTE FUNCTION interlock.refuse_change();

-- One field of the hashed text: its length in bytes, then its bytes; -1 for
-- null. No two rows share a text.
CREATE FUNCTION interlock.audit_field(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN value IS NULL THEN int4send(-1)
		ELSE int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8') END
$$;

CREATE FUNCTION interlock.audit_hash(prev bytea, e interlock.audit_events) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
	SELECT sha256(prev
		|| interlock.audit_field(e.chain) || interlock.audit_field(e.seq::text)
		|| interlock.audit_field(to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
		|| interlock.audit_field(e.kind) || interlock.audit_field(e.user_id) || interlock.audit_field(e.proposal_id)
		|| interlock.audit_field(e.actor) || interlock.audit_field(e.body::text))
$$;

-- The only way in. Definer's rights: no role may write the tables themselves.
CREATE FUNCTION interlock.audit_append(chain_name text, kind text, user_id text, proposal_id text, actor text, body json)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = interlock, pg_temp AS $$
DECLARE
	head audit_heads;
	e    audit_events;
BEGIN
	INSERT INTO audit_heads VALUES (chain_name, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
	SELECT * INTO head FROM audit_heads WHERE chain = chain_name FOR UPDATE;
	e := ROW(chain_name, head.seq + 1, clock_timestamp(), kind, user_id, proposal_id, actor, body, head.hash, NULL);
	e.hash := audit_hash(head.hash, e);
	INSERT INTO audit_events SELECT e.*;
	UPDATE audit_heads SET seq = e.seq, hash = e.hash WHERE chain = chain_name;
	RETURN e.seq;
END $$;

---- create above / drop below ----

DROP FUNCTION interlock.audit_append, interlock.audit_hash, interlock.audit_field;
DROP TABLE interlock.audit_events, interlock.audit_heads;

-- The earlier system's tables, as far as they are on record, in the schema
-- public of a Supabase project, and a day of its life.

CREATE TABLE public.trading_policies (
	id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id    uuid NOT NULL UNIQUE,
	policy     jsonb NOT NULL,
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.trade_proposals (
	id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id            uuid NOT NULL,
	asset              text NOT NULL,
	side               text NOT NULL,
	order_value_eur    numeric,
	confidence         numeric,
	status             text NOT NULL DEFAULT 'PENDING',
	policy_snapshot    jsonb,
	override_cooldown  boolean NOT NULL DEFAULT false,
	override_anti_flip boolean NOT NULL DEFAULT false,
	created_at         timestamptz NOT NULL DEFAULT now(),
	expires_at         timestamptz NOT NULL DEFAULT now() + interval '1 hour'
);
CREATE TABLE public.trade_executions (
	id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id       uuid NOT NULL,
	proposal_id   uuid NOT NULL REFERENCES public.trade_proposals,
	status        text NOT NULL,
	audit         jsonb NOT NULL DEFAULT '{}',
	executed_at   timestamptz NOT NULL DEFAULT now(),
	UNIQUE (user_id, proposal_id)
);
CREATE TABLE public.trade_history (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id     uuid NOT NULL,
	proposal_id uuid,
	asset       text NOT NULL,
	side        text NOT NULL,
	amount      numeric,
	order_id    text,
	executed_at timestamptz DEFAULT now()
);
CREATE TABLE public.gpt_usage_log (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id     uuid NOT NULL,
	snapshot_id uuid,
	tokens      integer NOT NULL,
	purpose     text NOT NULL,
	success     boolean NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.scan_jobs (
	id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id         uuid NOT NULL,
	next_run_at     timestamptz,
	locked_at       timestamptz,
	locked_by       text,
	lock_expires_at timestamptz
);

INSERT INTO public.trading_policies (user_id, policy) VALUES
	('a0000000-0000-4000-8000-000000000001', '{"execution": {"allowlist": ["BTC/EUR", "ETH/EUR"], "cooldown_minutes": 60,
		"anti_flip_minutes": 120, "max_trades_per_day": 10, "max_order_eur": 250}, "gpt": {"daily": 5, "hourly": 2}}');

INSERT INTO public.trade_proposals (id, user_id, asset, side, order_value_eur, confidence, status) VALUES
	('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'BTC/EUR', 'buy', 50, 0.9, 'EXECUTED'),
	('b0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', 'ETH/EUR', 'buy', 50, 0.9, 'FAILED'),
	('b0000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000001', 'ETH/EUR', 'sell', 50, 0.9, 'PENDING'),
	('b0000000-0000-4000-8000-000000000004', 'a0000000-0000-4000-8000-000000000001', 'ETH/EUR', 'sell', 50, 0.9, 'EXPIRED');
INSERT INTO public.trade_executions (user_id, proposal_id, status) VALUES
	('a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'EXECUTED'),
	('a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000002', 'FAILED');

-- Thirty minutes ago: within a cooldown of an hour.
INSERT INTO public.trade_history (user_id, proposal_id, asset, side, amount, order_id, executed_at) VALUES
	('a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'BTC', 'buy', 50, 'o-1', now() - interval '30 minutes');
INSERT INTO public.trade_history (user_id, asset, side, amount, executed_at)
	SELECT 'a0000000-0000-4000-8000-000000000001', 'SOL', 'SELL', 10, now() - interval '3 days' - n * interval '1 minute' FROM generate_series(1, 1200) n;

INSERT INTO public.gpt_usage_log (user_id, snapshot_id, tokens, purpose, success, created_at) VALUES
	('a0000000-0000-4000-8000-000000000001', gen_random_uuid(), 1200, 'scan_proposal', true, now() - interval '1 second'),
	('a0000000-0000-4000-8000-000000000001', NULL, 900, 'scan_proposal', false, now());

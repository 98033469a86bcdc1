-- What a token may do: viewer reads its user's things, trader acts on them,
-- operator acts for any user of its account, halts, resumes, resolves and
-- clears budgets. A token keeps its role: it can be revoked, not promoted.

ALTER TABLE interlock.api_tokens
	ADD COLUMN role text NOT NULL DEFAULT 'trader' CHECK (role IN ('viewer', 'trader', 'operator'));

REVOKE UPDATE ON interlock.api_tokens FROM interlock_operator;
GRANT UPDATE (revoked_at) ON interlock.api_tokens TO interlock_operator;

-- api: what operators ask for over HTTP. It cannot make a token, nor a scope.
GRANT UPDATE (state, actor, reason, changed_at) ON interlock.trading_controls TO interlock_api;
GRANT INSERT (user_id, actor, reason) ON interlock.budget_clearances TO interlock_api;

---- create above / drop below ----

REVOKE INSERT (user_id, actor, reason) ON interlock.budget_clearances FROM interlock_api;
REVOKE UPDATE (state, actor, reason, changed_at) ON interlock.trading_controls FROM interlock_api;
REVOKE UPDATE (revoked_at) ON interlock.api_tokens FROM interlock_operator;
GRANT UPDATE ON interlock.api_tokens TO interlock_operator;
ALTER TABLE interlock.api_tokens DROP COLUMN role;

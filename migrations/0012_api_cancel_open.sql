-- An operator may ask over HTTP what they may ask on the command line: that a
-- halt cancels every open order. Giving that up stays there.

GRANT INSERT (account_id, actor, reason) ON interlock.cancel_opens TO interlock_api;

---- create above / drop below ----

REVOKE INSERT (account_id, actor, reason) ON interlock.cancel_opens FROM interlock_api;

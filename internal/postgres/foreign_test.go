package postgres

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestATimeOrANumberWithoutEndIsRefusedWhereAnotherProgramWritesIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cooling)
	for constraint, sql := range map[string]string{
		"trade_proposals_expires_at_range": `INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence, expires_at)
			VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 0.001, 0.9, 'infinity')`,
		"trade_proposals_created_at_range": `INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, created_at)
			VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 0.001, '-infinity')`,
		"trade_proposals_confidence_range": `INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence)
			VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 0.001, ('0.' || repeat('1', 1000))::numeric)`,
		"trade_history_executed_at_range": `INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('anna', 'ETH', 'buy', 'infinity')`,
		"trade_history_fee_range":         `INSERT INTO interlock.trade_history (user_id, asset, side, executed_at, fee) VALUES ('anna', 'ETH', 'buy', now(), 'NaN')`,
		"gpt_usage_log_created_at_range":  `INSERT INTO interlock.gpt_usage_log (user_id, tokens, success, created_at) VALUES ('anna', 5, true, 'infinity')`,
		"gpt_usage_log_tokens_range":      `INSERT INTO interlock.gpt_usage_log (user_id, tokens, success) VALUES ('anna', 9000000000000000000, true)`,
		"market_facts_price_range":        `UPDATE interlock.market_facts SET price = 'Infinity'`,
		"exchange_clocks_ahead_ms_range":  `UPDATE interlock.exchange_clocks SET ahead_ms = 9000000000000000000`,
		"accounts_read_lag_range":         `UPDATE interlock.accounts SET read_lag = '290000 years'`,
	} {
		_, err := d.pool.Exec(ctx, sql)
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal, constraint)
		require.Equal(t, constraint, refusal.ConstraintName)
		require.ErrorIs(t, classify(err), ErrInvalid)
	}
	d.propose("sound", trade.Buy)
	require.NotNil(t, d.ask("sound").Claim, "what was refused stands in nobody's way")
	_, err := d.UnseenProposals(ctx, 0, 10)
	require.NoError(t, errors.Join(err))
}

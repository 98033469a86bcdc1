package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"interlock/internal/rate"
)

// ForRequests suits a store that only counts requests: few connections of its
// own, so that no turn waits for a transaction of something else.
func ForRequests(cfg *pgxpool.Config) {
	cfg.MaxConns = 3
}

// turnPatience bounds one question for a turn: without an answer the caller
// goes on with its local share.
const turnPatience = 2 * time.Second

type grantRow struct {
	Granted bool   `db:"granted"`
	WaitMS  int64  `db:"wait_ms"`
	Reason  string `db:"reason"`
}

const takeRequestSQL = `SELECT granted, wait_ms, reason FROM interlock.take_request(@account, @most, @floor, @spent)`

// TakeRequest grants one request with the account's trade key, counted by this
// database's clock over all workers, or says how long to wait. An error means
// that it may or may not have been counted.
func (s *Store) TakeRequest(ctx context.Context, account string, r rate.Request) (rate.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	row, err := one[grantRow](ctx, s.pool, takeRequestSQL, pgx.StrictNamedArgs{
		"account": account, "most": r.Most, "floor": r.Floor, "spent": r.Spent,
	})
	return rate.Grant{Granted: row.Granted, Wait: time.Duration(row.WaitMS) * time.Millisecond, Reason: row.Reason}, classify(err)
}

// HeedExchange lets every worker of the account know what the exchange said of
// its budget.
func (s *Store) HeedExchange(ctx context.Context, account string, n rate.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	_, err := s.pool.Exec(ctx, `SELECT interlock.heed_exchange($1, $2, $3, $4, $5)`,
		account, n.Limit, n.Left, n.Reset.Milliseconds(), n.Ban.Milliseconds())
	return classify(err)
}

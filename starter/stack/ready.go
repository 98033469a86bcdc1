package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// readyWithin is how long the first prices and the first comparison with the
// exchange may take.
const readyWithin = 90 * time.Second

// firstExecuteSQL is what preflight would otherwise block the first proposal
// for: old prices, an unmeasured clock, and no comparison by this database.
const firstExecuteSQL = `
	SELECT coalesce((SELECT max(observed_at) FROM interlock.market_facts WHERE account_id = @account) > clock_timestamp() - interval '5 seconds', false),
		coalesce((SELECT measured_at FROM interlock.exchange_clocks WHERE account_id = @account) > clock_timestamp() - interval '5 seconds', false),
		EXISTS (SELECT FROM interlock.reconciliations
			WHERE account_id = @account AND database_id = interlock.database_id() AND finished_at > @since)`

// awaitReady returns when the first proposal can be executed.
func (s *Stack) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.info.URLs[Database])
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := s.missing(ctx, conn)
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready in %s: %w; the logs are in %s/logs", readyWithin, missing, s.opts.Dir)
		case <-tick.C:
		}
	}
}

// missing is what the first execute would be blocked for; nil means nothing.
func (s *Stack) missing(ctx context.Context, conn *pgx.Conn) error {
	var prices, clock, compared bool
	err := conn.QueryRow(ctx, firstExecuteSQL, pgx.StrictNamedArgs{
		"account": s.opts.Config.Account, "since": s.started.Add(-time.Minute),
	}).Scan(&prices, &clock, &compared)
	switch {
	case err != nil:
		return err
	case !prices:
		return errors.New("there are no fresh prices")
	case !clock:
		return errors.New("the exchange's clock was not measured")
	case !compared:
		return errors.New("the exchange's orders were not compared with ours")
	}
	return nil
}

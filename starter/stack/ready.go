package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// readyWithin is how long the first prices and the first comparison with the
// exchange may take, besides what an account that is older than this start of
// the database must wait.
const readyWithin = 5 * time.Minute

// firstExecuteSQL is what preflight would otherwise block the first proposal
// for: old prices, an unmeasured clock, and no comparison by this database, or
// one that began too early to show what an earlier life of it may have sent.
const firstExecuteSQL = `
	SELECT coalesce((SELECT max(observed_at) FROM interlock.market_facts WHERE account_id = @account) > clock_timestamp() - interval '5 seconds', false),
		coalesce((SELECT measured_at FROM interlock.exchange_clocks WHERE account_id = @account) > clock_timestamp() - interval '5 seconds', false),
		EXISTS (SELECT FROM interlock.reconciliations
			WHERE account_id = @account AND database_id = interlock.database_id() AND finished_at > @since
				AND started_at >= interlock.comparable_from(@account, @window))`

// awaitReady returns when the first proposal can be executed.
func (s *Stack) awaitReady(ctx context.Context) error {
	timeout, err := s.readyTimeout(ctx)
	if err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.info.URLs[Database])
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		missing := s.missing(bound, conn)
		if missing == nil {
			return nil
		}
		if last == nil || bound.Err() == nil {
			last = missing
		}
		select {
		case <-bound.Done():
			return s.notReady(timeout, last)
		case <-done(s.postgres): // nobody starts it again before everything is up
			return fmt.Errorf("PostgreSQL %w", s.postgres.Ended())
		case <-done(s.server):
			return fmt.Errorf("temporal %w", s.server.Ended())
		case <-tick.C:
		}
	}
}

// notReady says what was missing at the end, and which process may be why.
func (s *Stack) notReady(timeout time.Duration, missing error) error {
	if unrest := s.children.Unrest(); unrest != "" {
		return fmt.Errorf("not ready in %s: %w; %s", timeout, missing, unrest)
	}
	return fmt.Errorf("not ready in %s: %w; the logs are in %s", timeout, missing, filepath.Join(s.opts.Dir, "logs"))
}

func (s *Stack) readyTimeout(ctx context.Context) (timeout time.Duration, err error) {
	err = s.operate(ctx, func(store *postgres.Store) error {
		account, err := store.Account(ctx, s.opts.Config.Account)
		timeout = readyWithin + trade.AccessWindow + account.ReadLag
		return err
	})
	return timeout, err
}

// missing is what the first execute would be blocked for; nil means nothing.
func (s *Stack) missing(ctx context.Context, conn *pgx.Conn) error {
	var prices, clock, compared bool
	err := conn.QueryRow(ctx, firstExecuteSQL, pgx.StrictNamedArgs{
		"account": s.opts.Config.Account, "since": s.started.Add(-time.Minute), "window": trade.AccessWindow,
	}).Scan(&prices, &clock, &compared)
	switch {
	case err != nil:
		return err
	case !prices:
		return errors.New("there are no fresh prices")
	case !clock:
		return errors.New("the exchange's clock was not measured")
	case !compared:
		return errors.New("the exchange's orders were not compared with ours, late enough after the start of the database")
	}
	return nil
}

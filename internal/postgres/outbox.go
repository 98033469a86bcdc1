package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/outbox"
)

const eventColumns = `id, at, kind, account_id, coalesce(user_id, '') AS user_id, coalesce(proposal_id, '') AS proposal_id, body`

// eventsSQL needs no guard against numbers that are still to come below the
// last one seen: they are given in the order in which they become visible.
const eventsSQL = `
	SELECT ` + eventColumns + ` FROM interlock.outbox
	WHERE id > @after AND (account_id IN ('*', @account) OR @account = '*') AND interlock.concerns(kind, user_id, nullif(@user, ''))
	ORDER BY id LIMIT @most`

// Events lists what a user is to see of an account after an event, oldest
// first. No user means everybody's. Whoever goes on after the last event that
// they were given misses none.
func (s *Store) Events(ctx context.Context, account, user string, after int64, most int) ([]outbox.Event, error) {
	list, err := all[outbox.Event](ctx, s.pool, eventsSQL, pgx.StrictNamedArgs{"account": account, "user": user, "after": after, "most": most})
	if err != nil {
		return nil, fmt.Errorf("events after %d: %w", after, classify(err))
	}
	return list, nil
}

// LastEvent is the ID of the last event there is; 0 when there is none.
func (s *Store) LastEvent(ctx context.Context) (id int64, err error) {
	if err = s.pool.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM interlock.outbox`).Scan(&id); err != nil {
		return 0, fmt.Errorf("last event: %w", classify(err))
	}
	return id, nil
}

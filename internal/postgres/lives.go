package postgres

import "context"

// A database that was restored does not know what its lost future did. Each
// life of it is dated (see migration 0004), and what began in an earlier one
// is believed only as far as a lost future cannot have changed it.

// beginLife dates this life of the database unless it is dated.
func beginLife(ctx context.Context, q querier) error {
	_, err := q.Exec(ctx, `SELECT interlock.begin_life()`)
	return err
}

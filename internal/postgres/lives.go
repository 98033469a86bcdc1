package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// A database that was restored does not know what its lost future did. Each
// life of it is dated (see migration 0004), and what began in an earlier one
// is believed only as far as a lost future cannot have changed it.

// lostWindow is how long after an earlier life's end a request of it may still
// act, in time of a clock that may be off from the exchange's.
const lostWindow = trade.AccessWindow + trade.MaxClockSkew

// beginLife dates this life of the database unless it is dated.
func beginLife(ctx context.Context, q querier) error {
	_, err := q.Exec(ctx, `SELECT interlock.begin_life()`)
	return err
}

// mayHaveLost reports whether an earlier life of this database may have known
// more of what began at an instant.
func mayHaveLost(ctx context.Context, q querier, account string, begun time.Time) (lost bool, err error) {
	err = q.QueryRow(ctx, `SELECT interlock.may_have_lost($1, $2)`, account, begun).Scan(&lost)
	return lost, err
}

// missingAttempt concludes an attempt without a row: it never began, unless
// its row was lost. One of an execution that is over needs no row to close it:
// nothing can begin there any more.
func missingAttempt(ctx context.Context, tx pgx.Tx, e executionRow, number int) (trade.Finding, error) {
	if !trade.Status(e.Status).Claimed() {
		return trade.Finding{Concluded: true, Verdict: trade.ConcludedVoid, Placing: neverBegan}, nil
	}
	lost, err := mayHaveLost(ctx, tx, e.AccountID, e.ClaimedAt)
	if err != nil {
		return trade.Finding{}, err
	}
	if !lost {
		return voidAttempt(ctx, tx, e, number)
	}
	attempt, err := one[attemptRow](ctx, tx, lostAttemptSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": number, "request": e.RequestID, "window": lostWindow,
	})
	if err != nil {
		return trade.Finding{}, err
	}
	return judge(ctx, tx, e, attempt)
}

// lostAttemptSQL stands for whatever attempts a lost future made: they are
// looked for under the one client order ID, and none can begin any more.
const lostAttemptSQL = `
	INSERT INTO interlock.order_attempts (execution_id, number, request_id, deadline, begun_by)
	VALUES (@execution, @number, @request, clock_timestamp() + @window::interval, 'a lost future, perhaps')
	RETURNING ` + attemptColumns

const doubtSQL = `
	SELECT read_lag, clock_timestamp(), CASE WHEN interlock.may_have_lost(id, @begun)
		THEN coalesce(interlock.life_began_at(), clock_timestamp()) + @window::interval END
	FROM interlock.accounts WHERE id = @account`

// readDoubt is what an attempt in doubt is judged by, and the database's clock.
// Of an attempt that an earlier life began, a lost future may have begun
// another: absence is not believed before that one's time is over as well.
func readDoubt(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow) (d trade.Doubt, now time.Time, err error) {
	d = trade.Doubt{Deadline: *a.Deadline, ReplyCode: a.ReplyCode}
	var lostUntil *time.Time
	row := tx.QueryRow(ctx, doubtSQL, pgx.StrictNamedArgs{"account": e.AccountID, "begun": a.BegunAt, "window": lostWindow})
	if err := row.Scan(&d.ReadLag, &now, &lostUntil); err != nil {
		return d, now, err
	}
	if lostUntil != nil && lostUntil.After(d.Deadline) {
		d.Deadline = *lostUntil
	}
	return d, now, nil
}

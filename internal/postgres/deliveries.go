package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/outbox"
	"interlock/internal/secret"
)

// openSQL is a delivery that is still to be made.
const openSQL = `d.delivered_at IS NULL AND d.given_up_at IS NULL`

// nextSQL is an open delivery whose turn it is: an earlier event of the same
// proposal goes first.
const nextSQL = openSQL + ` AND d.due_at <= clock_timestamp() AND NOT EXISTS (
		SELECT FROM interlock.deliveries x WHERE x.rule_id = d.rule_id AND x.proposal_id = d.proposal_id AND x.event_id < d.event_id
			AND x.delivered_at IS NULL AND x.given_up_at IS NULL)`

const dueRulesSQL = `
	SELECT r.id FROM interlock.notification_rules r
	WHERE r.removed_at IS NULL AND r.id <> ALL (@busy) AND EXISTS (SELECT FROM interlock.deliveries d WHERE d.rule_id = r.id AND ` + nextSQL + `)
	ORDER BY r.id LIMIT @most`

// DueRules lists rules that have something to be told now, but those that are
// busy.
func (s *Store) DueRules(ctx context.Context, busy []string, most int) ([]string, error) {
	if busy == nil {
		busy = []string{} // NULL would hide every rule
	}
	ids, err := s.ids(ctx, dueRulesSQL, pgx.StrictNamedArgs{"busy": busy, "most": most})
	if err != nil {
		return nil, fmt.Errorf("due rules: %w", err)
	}
	return ids, nil
}

// takeSQL counts the try before it is made, so that one that kills its worker
// is counted too, and keeps others away from it until it must have ended.
const takeSQL = `
	UPDATE interlock.deliveries t SET attempts = attempts + 1, due_at = clock_timestamp() + @within::interval
	FROM interlock.outbox e, interlock.notification_rules r
	WHERE e.id = t.event_id AND r.id = t.rule_id AND (t.event_id, t.rule_id) = (
		SELECT d.event_id, d.rule_id FROM interlock.deliveries d
		WHERE d.rule_id = @rule AND d.attempts < @most AND ` + nextSQL + `
		ORDER BY d.event_id LIMIT 1 FOR UPDATE OF d SKIP LOCKED)
	RETURNING e.id, e.at, e.kind, e.account_id, coalesce(e.user_id, '') AS user_id, coalesce(e.proposal_id, '') AS proposal_id, e.body,
		t.attempts, r.service, r.address, r.signing_key`

// spentSQL gives up what was tried often enough without anybody living to say
// what came of the last try.
const spentSQL = `
	UPDATE interlock.deliveries d SET given_up_at = clock_timestamp(), last_error = 'the last try was cut off'
	WHERE d.rule_id = @rule AND d.attempts >= @most AND d.due_at <= clock_timestamp() AND ` + openSQL

type takenRow struct {
	outbox.Event

	Attempts   int    `db:"attempts"`
	Service    string `db:"service"`
	Address    string `db:"address"`
	SigningKey string `db:"signing_key"`
}

// TakeDelivery begins the next try for a rule, which must end within the given
// time: then it may be tried again. After most tries an event is given up.
// ErrNotFound when nothing is due.
func (s *Store) TakeDelivery(ctx context.Context, rule string, most int, within time.Duration) (outbox.Delivery, error) {
	var row takenRow
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		args := pgx.StrictNamedArgs{"rule": rule, "most": most}
		if _, err := tx.Exec(ctx, spentSQL, args); err != nil {
			return err
		}
		args["within"] = within
		row, err = one[takenRow](ctx, tx, takeSQL, args)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // what was given up stays so
		}
		return err
	})
	if err == nil && row.ID == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return outbox.Delivery{}, fmt.Errorf("next delivery of rule %s: %w", rule, err)
	}
	return outbox.Delivery{
		Event: row.Event, RuleID: rule, Attempt: row.Attempts,
		Target: outbox.Target{Service: row.Service, Address: secret.Text(row.Address), SigningKey: secret.Text(row.SigningKey)},
	}, nil
}

const deliveredSQL = `
	UPDATE interlock.deliveries SET delivered_at = clock_timestamp(), given_up_at = NULL, last_error = ''
	WHERE event_id = @event AND rule_id = @rule AND delivered_at IS NULL`

// Delivered notes that a rule was told of an event. Again it changes nothing.
func (s *Store) Delivered(ctx context.Context, eventID int64, rule string) error {
	if _, err := s.pool.Exec(ctx, deliveredSQL, pgx.StrictNamedArgs{"event": eventID, "rule": rule}); err != nil {
		return fmt.Errorf("deliver %d to rule %s: %w", eventID, rule, classify(err))
	}
	return nil
}

const notDeliveredSQL = `
	UPDATE interlock.deliveries SET last_error = @why, due_at = clock_timestamp() + @pause::interval,
		given_up_at = CASE WHEN @last THEN clock_timestamp() END
	WHERE event_id = @event AND rule_id = @rule AND delivered_at IS NULL AND given_up_at IS NULL`

// NotDelivered notes why a try came to nothing: it is made again after a
// pause, or, after the last one, given up.
func (s *Store) NotDelivered(ctx context.Context, eventID int64, rule, why string, pause time.Duration, last bool) error {
	_, err := s.pool.Exec(ctx, notDeliveredSQL, pgx.StrictNamedArgs{
		"event": eventID, "rule": rule, "why": shorten(why), "pause": pause, "last": last,
	})
	if err != nil {
		return fmt.Errorf("deliver %d to rule %s: %w", eventID, rule, classify(err))
	}
	return nil
}

const undeliveredAgeSQL = `
	SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.at)), 0)::float8
	FROM interlock.deliveries d JOIN interlock.outbox e ON e.id = d.event_id WHERE ` + openSQL

// UndeliveredAge is how long the oldest open delivery has been waiting; zero
// when there is none.
func (s *Store) UndeliveredAge(ctx context.Context) (time.Duration, error) {
	var seconds float64
	err := s.pool.QueryRow(ctx, undeliveredAgeSQL).Scan(&seconds)
	return time.Duration(seconds * float64(time.Second)), classify(err)
}

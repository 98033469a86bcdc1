package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/outbox"
)

// insertRuleSQL also gives a removed rule's name to another. It names no
// excluded column: whoever adds rules may not read addresses.
const insertRuleSQL = `
	INSERT INTO interlock.notification_rules AS r (id, account_id, user_id, kinds, service, address, signing_key, shown, created_by)
	VALUES (@id, @account, nullif(@user, ''), @kinds, @service, @address, @key, @shown, @actor)
	ON CONFLICT (id) DO UPDATE SET (account_id, user_id, kinds, service, address, signing_key, shown, created_by, created_at, removed_at) =
		(@account, nullif(@user, ''), @kinds, @service, @address, @key, @shown, @actor, clock_timestamp(), NULL)
	WHERE r.removed_at IS NOT NULL`

// AddRule lets a rule hold for what happens from now on. Its secrets are in no
// record but the rule's own row. ErrNotFound for an account that does not
// exist, ErrConflict when a rule of this name is in force.
func (s *Store) AddRule(ctx context.Context, r outbox.Rule, to outbox.Target, actor string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if r.AccountID != AllAccounts {
			if _, err := readAccount(ctx, tx, r.AccountID); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, insertRuleSQL, pgx.StrictNamedArgs{
			"id": r.ID, "account": r.AccountID, "user": r.UserID, "kinds": texts(r.Kinds), "service": to.Service,
			"address": to.Address.Reveal(), "key": to.SigningKey.Reveal(), "shown": r.Shown, "actor": actor,
		})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("%w: there is one of this name; remove it first", ErrConflict)
		}
		return appendAudit(ctx, tx, ruleAudit("notify.added", r, actor))
	})
	if err != nil {
		return fmt.Errorf("add rule %s: %w", r.ID, err)
	}
	return nil
}

func texts(kinds []outbox.Kind) []string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = string(k)
	}
	return list
}

type ruleRow struct {
	ID        string     `db:"id"`
	AccountID string     `db:"account_id"`
	UserID    string     `db:"user_id"`
	Kinds     []string   `db:"kinds"`
	Service   string     `db:"service"`
	Shown     string     `db:"shown"`
	CreatedBy string     `db:"created_by"`
	CreatedAt time.Time  `db:"created_at"`
	RemovedAt *time.Time `db:"removed_at"`
	Open      int        `db:"open"`
	GivenUp   int        `db:"given_up"`
	LastError string     `db:"last_error"`
}

func (r ruleRow) rule() outbox.Rule {
	kinds := make([]outbox.Kind, len(r.Kinds))
	for i, k := range r.Kinds {
		kinds[i] = outbox.Kind(k)
	}
	return outbox.Rule{
		ID: r.ID, AccountID: r.AccountID, UserID: r.UserID, Kinds: kinds, Service: r.Service, Shown: r.Shown,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, RemovedAt: r.RemovedAt,
	}
}

// ownSQL are the deliveries of a rule, without those of one before it that had
// its name.
const ownSQL = `interlock.deliveries d JOIN interlock.outbox e ON e.id = d.event_id WHERE d.rule_id = r.id AND e.at >= r.created_at`

const rulesSQL = `
	SELECT r.id, r.account_id, coalesce(r.user_id, '') AS user_id, r.kinds, r.service, r.shown, r.created_by, r.created_at, r.removed_at,
		(SELECT count(*) FROM interlock.deliveries d WHERE d.rule_id = r.id AND ` + openSQL + `) AS open,
		(SELECT count(*) FROM ` + ownSQL + ` AND d.given_up_at IS NOT NULL) AS given_up,
		coalesce((SELECT d.last_error FROM ` + ownSQL + ` AND d.last_error <> '' AND d.delivered_at IS NULL
			ORDER BY d.event_id DESC LIMIT 1), '') AS last_error
	FROM interlock.notification_rules r WHERE r.removed_at IS NULL OR r.id = @id ORDER BY r.created_at, r.id`

// RuleState is a rule with what became of its events.
type RuleState struct {
	outbox.Rule

	Open      int    `json:"open"` // still to be delivered
	GivenUp   int    `json:"givenUp"`
	LastError string `json:"lastError,omitempty"`
}

// Rules lists the rules in force, without their secrets.
func (s *Store) Rules(ctx context.Context) ([]RuleState, error) {
	rows, err := all[ruleRow](ctx, s.pool, rulesSQL, pgx.StrictNamedArgs{"id": ""})
	if err != nil {
		return nil, fmt.Errorf("rules: %w", classify(err))
	}
	list := make([]RuleState, len(rows))
	for i, r := range rows {
		list[i] = RuleState{Rule: r.rule(), Open: r.Open, GivenUp: r.GivenUp, LastError: r.LastError}
	}
	return list, nil
}

const ruleSQL = `
	SELECT id, account_id, coalesce(user_id, '') AS user_id, kinds, service, shown, created_by, created_at, removed_at,
		0 AS open, 0 AS given_up, '' AS last_error
	FROM interlock.notification_rules WHERE id = @id`

const removeRuleSQL = `
	UPDATE interlock.notification_rules SET removed_at = clock_timestamp(), address = '', signing_key = '' WHERE id = @id AND removed_at IS NULL`

const abandonSQL = `
	UPDATE interlock.deliveries d SET given_up_at = clock_timestamp(), last_error = 'the rule was removed' WHERE d.rule_id = @id AND ` + openSQL

// RemoveRule ends a rule and erases its secrets; what was still to be
// delivered is given up. ErrNotFound when there is none; again it changes
// nothing.
func (s *Store) RemoveRule(ctx context.Context, id, actor string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, removeRuleSQL, pgx.StrictNamedArgs{"id": id})
		if err != nil {
			return err
		}
		row, err := one[ruleRow](ctx, tx, ruleSQL, pgx.StrictNamedArgs{"id": id})
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, abandonSQL, pgx.StrictNamedArgs{"id": id}); err != nil {
			return err
		}
		return appendAudit(ctx, tx, ruleAudit("notify.removed", row.rule(), actor))
	})
	if err != nil {
		return fmt.Errorf("remove rule %s: %w", id, err)
	}
	return nil
}

func ruleAudit(kind string, r outbox.Rule, actor string) event {
	return event{Chain: r.AccountID, Kind: kind, User: r.UserID, Actor: actor, Body: map[string]any{
		"rule": r.ID, "service": r.Service, "address": r.Shown, "kinds": r.Kinds,
	}}
}

// TestRule sends a rule a test on the way that everything takes, and returns
// its event. ErrNotFound when there is no such rule.
func (s *Store) TestRule(ctx context.Context, id string) (eventID int64, err error) {
	var number *int64
	// No transaction that waits for us: it holds the lock of every event.
	err = s.pool.QueryRow(ctx, `SELECT interlock.test_rule($1)`, id).Scan(&number)
	switch {
	case err != nil:
		return 0, fmt.Errorf("test rule %s: %w", id, classify(err))
	case number == nil:
		return 0, fmt.Errorf("test rule %s: %w", id, ErrNotFound)
	}
	return *number, nil
}

// Delivery is what became of one event for one rule.
type Delivery struct {
	Attempts    int        `db:"attempts" json:"attempts"`
	DeliveredAt *time.Time `db:"delivered_at" json:"deliveredAt,omitempty"`
	GivenUpAt   *time.Time `db:"given_up_at" json:"givenUpAt,omitempty"`
	LastError   string     `db:"last_error" json:"lastError,omitempty"`
}

const deliverySQL = `
	SELECT attempts, delivered_at, given_up_at, last_error FROM interlock.deliveries WHERE event_id = @event AND rule_id = @rule`

// DeliveryOf says how far an event has come to a rule. ErrNotFound when it is
// not for that rule.
func (s *Store) DeliveryOf(ctx context.Context, eventID int64, rule string) (Delivery, error) {
	d, err := one[Delivery](ctx, s.pool, deliverySQL, pgx.StrictNamedArgs{"event": eventID, "rule": rule})
	if err != nil {
		return d, fmt.Errorf("delivery of %d to %s: %w", eventID, rule, classify(err))
	}
	return d, nil
}

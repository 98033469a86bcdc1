package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// Account is one account at one venue.
type Account struct {
	ID        string        `db:"id"`
	Venue     string        `db:"venue"` // "paper" or "live"
	RESTURL   string        `db:"rest_url"`
	Label     string        `db:"label"`
	ReadLag   time.Duration `db:"read_lag"` // within it the exchange shows an order to its owner
	CreatedAt time.Time     `db:"created_at"`
}

const accountColumns = `id, venue, rest_url, label, read_lag, created_at`

const insertAccountSQL = `
	INSERT INTO interlock.accounts (id, venue, rest_url, label, read_lag)
	VALUES (@id, @venue, @url, @label, @lag)
	ON CONFLICT (id) DO NOTHING`

// CreateAccount stores an account; a read lag of zero means the default. One
// that exists stays as it is: ErrConflict when its venue or URL differs, for
// orders at one exchange must never be looked for at another.
func (s *Store) CreateAccount(ctx context.Context, a Account) error {
	if a.ReadLag == 0 {
		a.ReadLag = trade.DefaultReadLag
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error { return createAccount(ctx, tx, a) })
	if err != nil {
		return fmt.Errorf("create account %s: %w", a.ID, err)
	}
	return nil
}

func createAccount(ctx context.Context, tx pgx.Tx, a Account) error {
	tag, err := tx.Exec(ctx, insertAccountSQL, pgx.StrictNamedArgs{
		"id": a.ID, "venue": a.Venue, "url": a.RESTURL, "label": a.Label, "lag": a.ReadLag,
	})
	if err != nil {
		return err
	}
	stored, err := readAccount(ctx, tx, a.ID)
	switch {
	case err != nil:
		return err
	case stored.Venue != a.Venue || stored.RESTURL != a.RESTURL:
		return fmt.Errorf("%w: it is the %s account at %s", ErrConflict, stored.Venue, stored.RESTURL)
	case tag.RowsAffected() == 0:
		return nil
	}
	return appendAudit(ctx, tx, event{
		Chain: a.ID, Kind: "account.created",
		Body: map[string]any{"venue": a.Venue, "restUrl": a.RESTURL, "label": a.Label, "readLag": a.ReadLag.String()},
	})
}

const accountSQL = `SELECT ` + accountColumns + ` FROM interlock.accounts WHERE id = @id`

func readAccount(ctx context.Context, q querier, id string) (Account, error) {
	return one[Account](ctx, q, accountSQL, pgx.StrictNamedArgs{"id": id})
}

// Account reads one account. ErrNotFound when there is none.
func (s *Store) Account(ctx context.Context, id string) (Account, error) {
	a, err := readAccount(ctx, s.pool, id)
	if err != nil {
		return a, fmt.Errorf("account %s: %w", id, classify(err))
	}
	return a, nil
}

const accountsSQL = `SELECT ` + accountColumns + ` FROM interlock.accounts ORDER BY id`

// Accounts lists every account.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	list, err := all[Account](ctx, s.pool, accountsSQL, pgx.StrictNamedArgs{})
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", classify(err))
	}
	return list, nil
}

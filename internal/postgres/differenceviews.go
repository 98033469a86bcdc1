package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// DifferenceView is an order of the exchange that the records do not have, or
// have otherwise.
type DifferenceView = view.Difference

const differencesSQL = `
	SELECT d.account_id, d.market, d.order_id, d.kind, d.client_order_id, coalesce(e.proposal_id, '') AS proposal_id,
		d.detail, d.body, d.first_seen_at, d.last_seen_at
	FROM interlock.exchange_differences d
	LEFT JOIN interlock.trade_executions e ON e.account_id = d.account_id AND e.client_order_id = d.client_order_id
	WHERE @account = '' OR d.account_id = @account
	ORDER BY d.first_seen_at DESC, d.market, d.order_id LIMIT 200`

type differenceViewRow struct {
	AccountID   string          `db:"account_id"`
	Market      string          `db:"market"`
	OrderID     string          `db:"order_id"`
	Kind        string          `db:"kind"`
	Client      *uuid.UUID      `db:"client_order_id"`
	ProposalID  string          `db:"proposal_id"`
	Detail      string          `db:"detail"`
	Body        json.RawMessage `db:"body"`
	FirstSeenAt time.Time       `db:"first_seen_at"`
	LastSeenAt  time.Time       `db:"last_seen_at"`
}

// Differences lists what the exchange has and the records deny, of one account
// or of all, the newest first. An order that bears the ID of a proposal which
// was never claimed here, as after a restore, is shown with that proposal.
func (s *Store) Differences(ctx context.Context, account string) ([]DifferenceView, error) {
	views, err := s.differences(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("differences: %w", classify(err))
	}
	return views, nil
}

func (s *Store) differences(ctx context.Context, account string) ([]DifferenceView, error) {
	rows, err := all[differenceViewRow](ctx, s.pool, differencesSQL, pgx.StrictNamedArgs{"account": account})
	if err != nil {
		return nil, err
	}
	views := make([]DifferenceView, len(rows))
	unnamed := map[string]*DifferenceView{}
	for i, r := range rows {
		views[i] = DifferenceView{
			AccountID: r.AccountID, Market: r.Market, OrderID: r.OrderID, Kind: r.Kind, ProposalID: r.ProposalID,
			Detail: r.Detail, FirstSeenAt: r.FirstSeenAt, LastSeenAt: r.LastSeenAt,
		}
		if err := json.Unmarshal(r.Body, &views[i].Order); err != nil {
			return nil, err
		}
		if r.Client == nil {
			continue
		}
		views[i].ClientOrderID = r.Client.String()
		if r.ProposalID == "" {
			unnamed[views[i].ClientOrderID] = &views[i]
		}
	}
	return views, s.nameProposals(ctx, unnamed)
}

// unclaimedSQL is every proposal that an unknown order can be of. An ID cannot
// be turned back into its proposal, so theirs are derived and compared.
const unclaimedSQL = `
	SELECT (SELECT id FROM interlock.installation) AS installation, id, user_id, account_id FROM interlock.trade_proposals p
	WHERE NOT EXISTS (SELECT FROM interlock.trade_executions e WHERE e.proposal_id = p.id)
	ORDER BY created_at DESC LIMIT 20000`

func (s *Store) nameProposals(ctx context.Context, unnamed map[string]*DifferenceView) error {
	if len(unnamed) == 0 {
		return nil
	}
	type row struct {
		Installation uuid.UUID `db:"installation"`
		ID           string    `db:"id"`
		UserID       string    `db:"user_id"`
		AccountID    string    `db:"account_id"`
	}
	rows, err := all[row](ctx, s.pool, unclaimedSQL, pgx.StrictNamedArgs{})
	for _, r := range rows {
		client := trade.ClientOrderID(r.Installation, r.AccountID, r.UserID, r.ID).String()
		if d := unnamed[client]; d != nil && d.AccountID == r.AccountID {
			d.ProposalID = r.ID
		}
	}
	return err
}

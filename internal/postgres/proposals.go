package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// insertProposalSQL leaves alone whoever holds the ID already.
const insertProposalSQL = `
	INSERT INTO interlock.trade_proposals
		(id, user_id, account_id, market, side, order_type, amount, amount_quote, price, expected_price, confidence,
		rationale, source, policy_version, expires_at)
	VALUES (@id, @user, @account, @market, @side, @type, @amount, @quote, @price, @expected, @confidence,
		@rationale, @source,
		coalesce((SELECT max(version) FROM interlock.trading_policies WHERE user_id = @user AND account_id = @account), 0),
		coalesce(@expires::timestamptz, clock_timestamp() + interval '1 hour'))
	ON CONFLICT (id) DO NOTHING`

// InsertProposal stores p as PENDING, for an hour when it says no expiry. The
// same proposal again is not stored twice: the one that is there is returned,
// whatever has become of it. ErrConflict when the ID belongs to another
// proposal, of which nothing is told; ErrInvalid when p is none.
func (s *Store) InsertProposal(ctx context.Context, p trade.Proposal, actor string) (stored trade.Proposal, created bool, err error) {
	p = p.Normal()
	if p.OrderType == "" {
		p.OrderType = trade.MarketOrder
	}
	if err := checkNew(p); err != nil {
		return stored, false, fmt.Errorf("store proposal: %w: %w", ErrInvalid, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		stored, created, err = insertProposal(ctx, tx, p, actor)
		return err
	})
	if err != nil {
		return trade.Proposal{}, false, fmt.Errorf("store proposal %s: %w", p.ID, err)
	}
	return stored, created, nil
}

func checkNew(p trade.Proposal) error {
	if p.ExpiresAt.IsZero() {
		p.ExpiresAt = time.Unix(0, 0) // the database sets it
	}
	return p.Check()
}

func insertProposal(ctx context.Context, tx pgx.Tx, p trade.Proposal, actor string) (trade.Proposal, bool, error) {
	var expires *time.Time
	if !p.ExpiresAt.IsZero() {
		expires = &p.ExpiresAt
	}
	tag, err := tx.Exec(ctx, insertProposalSQL, pgx.StrictNamedArgs{
		"id": p.ID, "user": p.UserID, "account": p.AccountID, "market": string(p.Market), "side": string(p.Side),
		"type": string(p.OrderType), "amount": p.Amount, "quote": p.AmountQuote, "price": p.Price,
		"expected": p.ExpectedPrice, "confidence": p.Confidence, "rationale": p.Rationale, "source": p.Source, "expires": expires,
	})
	if err != nil {
		return trade.Proposal{}, false, err
	}
	stored, err := readProposal(ctx, tx, p.ID)
	switch {
	case err != nil:
		return trade.Proposal{}, false, err
	case !sameProposal(stored, p):
		return trade.Proposal{}, false, fmt.Errorf("%w: the ID is another proposal's", ErrConflict)
	case tag.RowsAffected() == 0:
		return stored, false, nil
	}
	return stored, true, appendAudit(ctx, tx, event{
		Chain: p.AccountID, Kind: "proposal.stored", User: p.UserID, Proposal: p.ID, Actor: actor, Body: stored,
	})
}

// sameProposal reports whether asked proposes what stored does. What a life
// adds (status, policy version, times) does not count, nor does an expiry that
// was left to us.
func sameProposal(stored, asked trade.Proposal) bool {
	return stored.UserID == asked.UserID && stored.AccountID == asked.AccountID &&
		stored.Market == asked.Market && stored.Side == asked.Side && stored.OrderType == asked.OrderType &&
		sameAmount(stored.Amount, asked.Amount) && sameAmount(stored.AmountQuote, asked.AmountQuote) &&
		sameAmount(stored.Price, asked.Price) && sameAmount(stored.ExpectedPrice, asked.ExpectedPrice) &&
		sameAmount(stored.Confidence, asked.Confidence) &&
		stored.Rationale == asked.Rationale && stored.Source == asked.Source &&
		(asked.ExpiresAt.IsZero() || stored.ExpiresAt.Equal(asked.ExpiresAt.Truncate(time.Microsecond)))
}

func sameAmount(a, b *decimal.Decimal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// ViaAPI is the door of overrides whose giver was verified.
const ViaAPI = "api"

// StoreOverride keeps an override for the next execute, bound to the policy
// and the price of this moment. One that is refused changes nothing but the
// audit, and the problem says why. The same one again changes nothing.
func (s *Store) StoreOverride(ctx context.Context, o trade.Override, via string) (problem string, err error) {
	problem = o.Named().Problem()
	o.ID, o.Actor, o.Reason = shorten(o.ID), shorten(o.Actor), shorten(o.Reason) // for the audit, when it is refused
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if err := lockForProposal(ctx, tx, o.ProposalID); err != nil {
			return err
		}
		p, err := readProposal(ctx, tx, o.ProposalID)
		if err != nil {
			return err
		}
		if problem == "" { // else it is refused, even when its ID is known
			var known bool
			if known, problem, err = knownOverride(ctx, tx, o); err != nil || known {
				return err
			}
		}
		return s.keepOverride(ctx, tx, p, o, via, &problem)
	})
	if err != nil {
		return "", fmt.Errorf("override %s: %w", o.ProposalID, err)
	}
	return problem, nil
}

func (s *Store) keepOverride(ctx context.Context, tx pgx.Tx, p trade.Proposal, o trade.Override, via string, problem *string) error {
	awaits := false
	if *problem == "" {
		f, err := overrideFacts(ctx, tx, p)
		if err != nil {
			return err
		}
		o, *problem = o.Bound(p, trade.OverrideFacts{Now: f.Now, Policy: f.Policy, PolicyVersion: f.PolicyVersion, Price: f.Price})
		awaits = o.AwaitsSecond(p, f)
	}
	kind := "override.refused"
	if *problem == "" {
		kind = "override.stored"
		if err := insertOverride(ctx, tx, o, via); err != nil {
			return err
		}
	}
	return appendAudit(ctx, tx, event{
		Chain: p.AccountID, Kind: kind, User: p.UserID, Proposal: p.ID, Actor: o.Actor,
		Body: map[string]any{"override": o, "via": via, "problem": *problem, "awaitsSecond": awaits},
	})
}

// knownOverride finds the override that has o's ID: it is the same, or the ID
// is another's.
func knownOverride(ctx context.Context, tx pgx.Tx, o trade.Override) (known bool, problem string, err error) {
	row, err := one[overrideRow](ctx, tx, overrideSQL, pgx.StrictNamedArgs{"proposal": o.ProposalID, "id": o.ID})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, "", nil
	case err != nil:
		return false, "", err
	case row.override().Same(o.Named()):
		return true, "", nil
	}
	return false, "id: it is another override's; give this one another, or none", nil
}

func overrideFacts(ctx context.Context, tx pgx.Tx, p trade.Proposal) (f trade.Facts, err error) {
	for _, read := range []func(context.Context, pgx.Tx, trade.Proposal, *trade.Facts) error{readNow, readPolicy, readMarket} {
		if err := read(ctx, tx, p, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

// insertUnverifiedSQL names no column that says who was verified: of the roles,
// only api may write those.
const insertUnverifiedSQL = `
	INSERT INTO interlock.overrides (id, proposal_id, cooldown, anti_flip, actor, reason, via, request_id, policy_version, reference_price, expires_at)
	VALUES (@id, @proposal, @cooldown, @antiFlip, @actor, @reason, @via, nullif(@request, ''), @policy, @price, coalesce(@expires, clock_timestamp() + @life))`

const insertVerifiedSQL = `
	INSERT INTO interlock.overrides (id, proposal_id, cooldown, anti_flip, actor, verified, identity, reason, via, request_id, policy_version, reference_price, expires_at)
	VALUES (@id, @proposal, @cooldown, @antiFlip, @actor, true, @identity, @reason, @via, nullif(@request, ''), @policy, @price, coalesce(@expires, clock_timestamp() + @life))`

func insertOverride(ctx context.Context, tx pgx.Tx, o trade.Override, via string) error {
	args := pgx.StrictNamedArgs{
		"id": o.ID, "proposal": o.ProposalID, "cooldown": o.Cooldown, "antiFlip": o.AntiFlip, "actor": o.Actor,
		"reason": o.Reason, "via": via, "request": o.RequestID, "policy": o.PolicyVersion, "price": o.ReferencePrice,
		"expires": orNull(o.ExpiresAt), "life": trade.OverrideLife,
	}
	sql := insertUnverifiedSQL
	if o.Verified {
		sql, args["identity"] = insertVerifiedSQL, o.Identity
	}
	_, err := tx.Exec(ctx, sql, args)
	return err
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type overrideRow struct {
	ID          string           `db:"id"`
	ProposalID  string           `db:"proposal_id"`
	Cooldown    bool             `db:"cooldown"`
	AntiFlip    bool             `db:"anti_flip"`
	Actor       string           `db:"actor"`
	Verified    bool             `db:"verified"`
	Identity    string           `db:"identity"`
	Reason      string           `db:"reason"`
	RequestID   string           `db:"request_id"`
	Policy      int              `db:"policy_version"`
	Price       *decimal.Decimal `db:"reference_price"`
	StoredAt    time.Time        `db:"stored_at"`
	ExpiresAt   time.Time        `db:"expires_at"`
	ConfirmedBy []string         `db:"confirmed_by"`
}

func (r overrideRow) override() trade.Override {
	return trade.Override{
		ID: r.ID, ProposalID: r.ProposalID, Cooldown: r.Cooldown, AntiFlip: r.AntiFlip, Actor: r.Actor,
		Verified: r.Verified, Identity: r.Identity, ConfirmedBy: r.ConfirmedBy, Reason: r.Reason, RequestID: r.RequestID,
		PolicyVersion: r.Policy, ReferencePrice: r.Price, StoredAt: r.StoredAt, ExpiresAt: r.ExpiresAt,
	}
}

const overrideColumns = `
	o.id, o.proposal_id, o.cooldown, o.anti_flip, o.actor, o.verified, coalesce(o.identity, '') AS identity, o.reason,
	coalesce(o.request_id, '') AS request_id, o.policy_version, o.reference_price, o.stored_at, o.expires_at,
	ARRAY(SELECT c.identity FROM interlock.override_confirmations c
		WHERE c.proposal_id = o.proposal_id AND c.override_id = o.id ORDER BY c.confirmed_at) AS confirmed_by`

const overrideSQL = `SELECT ` + overrideColumns + ` FROM interlock.overrides o WHERE o.proposal_id = @proposal AND o.id = @id`

const unusedOverridesSQL = `
	SELECT ` + overrideColumns + ` FROM interlock.overrides o
	WHERE o.proposal_id = @proposal AND o.consumed_by IS NULL ORDER BY o.stored_at`

const overrideIDsSQL = `SELECT ARRAY(SELECT id FROM interlock.overrides WHERE proposal_id = @proposal)`

func readOverrides(ctx context.Context, tx pgx.Tx, p trade.Proposal, f *trade.Facts) error {
	args := pgx.StrictNamedArgs{"proposal": p.ID}
	rows, err := all[overrideRow](ctx, tx, unusedOverridesSQL, args)
	if err != nil {
		return err
	}
	for _, r := range rows {
		f.Overrides = append(f.Overrides, r.override())
	}
	return tx.QueryRow(ctx, overrideIDsSQL, args).Scan(&f.OverrideIDs)
}

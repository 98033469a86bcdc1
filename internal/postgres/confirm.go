package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"interlock/internal/view"
)

const openOverrideSQL = `
	SELECT consumed_by IS NULL AND expires_at > clock_timestamp() FROM interlock.overrides WHERE proposal_id = @proposal AND id = @id`

const confirmSQL = `
	INSERT INTO interlock.override_confirmations (proposal_id, override_id, identity, reason)
	VALUES (@proposal, @id, @identity, @reason) ON CONFLICT DO NOTHING`

// ConfirmOverride notes that a person whom the caller has verified stands
// behind an override too. It is refused to whoever gave it, and for one that
// is used up or over; the audit then says so, and the problem says why. The
// same person again changes nothing. ErrNotFound when there is no such override.
func (s *Store) ConfirmOverride(ctx context.Context, proposalID, overrideID, identity, reason string) (problem string, err error) {
	if strings.TrimSpace(identity) == "" || strings.TrimSpace(reason) == "" {
		return "", fmt.Errorf("confirm override %s of %s: %w: identity and reason are required", overrideID, proposalID, ErrInvalid)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		problem, err = confirmOverride(ctx, tx, proposalID, overrideID, identity, shorten(reason))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("confirm override %s of %s: %w", overrideID, proposalID, err)
	}
	return problem, nil
}

func confirmOverride(ctx context.Context, tx pgx.Tx, proposalID, overrideID, identity, reason string) (problem string, err error) {
	if err := lockForProposal(ctx, tx, proposalID); err != nil {
		return "", err
	}
	p, err := readProposal(ctx, tx, proposalID)
	if err != nil {
		return "", err
	}
	args := pgx.StrictNamedArgs{"proposal": proposalID, "id": overrideID}
	row, err := one[overrideRow](ctx, tx, overrideSQL, args)
	if err != nil {
		return "", err
	}
	var open bool
	if err := tx.QueryRow(ctx, openOverrideSQL, args).Scan(&open); err != nil {
		return "", err
	}
	o, kind := row.override(), "override.confirmed"
	switch {
	case !open:
		problem = "the override is used up or its time is over"
	case o.Verified && o.Identity == identity:
		problem = "four eyes need a second person: you gave this override yourself"
	}
	if problem != "" {
		kind = "override.refused"
	} else {
		tag, err := tx.Exec(ctx, confirmSQL, pgx.StrictNamedArgs{"proposal": proposalID, "id": overrideID, "identity": identity, "reason": reason})
		if err != nil || tag.RowsAffected() == 0 {
			return "", err
		}
	}
	return problem, appendAudit(ctx, tx, event{
		Chain: p.AccountID, Kind: kind, User: p.UserID, Proposal: p.ID, Actor: identity,
		Body: map[string]any{"override": o, "via": ViaAPI, "reason": reason, "problem": problem},
	})
}

const overridesOfSQL = `
	SELECT ` + overrideColumns + `, o.via, coalesce(o.consumed_by, '') AS consumed_by FROM interlock.overrides o
	WHERE o.proposal_id = @proposal ORDER BY o.stored_at`

type shownOverrideRow struct {
	overrideRow
	Via        string `db:"via"`
	ConsumedBy string `db:"consumed_by"`
}

// Overrides lists the overrides of a proposal, oldest first.
func (s *Store) Overrides(ctx context.Context, proposalID string) ([]view.Override, error) {
	rows, err := all[shownOverrideRow](ctx, s.pool, overridesOfSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if err != nil {
		return nil, fmt.Errorf("overrides of %s: %w", proposalID, classify(err))
	}
	list := make([]view.Override, len(rows))
	for i, r := range rows {
		list[i] = view.Override{Override: r.override(), Via: r.Via, ConsumedBy: r.ConsumedBy}
	}
	return list, nil
}

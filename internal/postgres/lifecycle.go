package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

const expireSQL = `
	UPDATE interlock.trade_proposals SET status = 'EXPIRED', updated_at = clock_timestamp()
	WHERE id = @id AND status IN ('PENDING', 'FAILED') AND expires_at <= clock_timestamp()`

// Expire closes a proposal whose time is over and returns its status, which is
// another when a claim was faster or it is not due.
func (s *Store) Expire(ctx context.Context, proposalID string) (trade.Status, error) {
	return s.close(ctx, proposalID, "proposal.expired", expireSQL, "", "")
}

// cancelSQL repeats nothing, but closes what has failed since it was first
// asked to: a cancel that could close and does not would be asked for for ever.
const cancelSQL = `
	UPDATE interlock.trade_proposals SET cancel_actor = @actor, cancel_reason = @reason, updated_at = clock_timestamp(),
		status = CASE WHEN status IN ('PENDING', 'FAILED') THEN 'CANCELLED' ELSE status END
	WHERE id = @id AND (status IN ('PENDING', 'FAILED') OR status IN ('EXECUTING', 'UNRESOLVED') AND cancel_actor IS NULL)`

// Cancel gives a proposal up. Before the claim that closes it; after it, no
// further attempt begins, and whoever follows its order cancels it. It returns
// the status now. ErrInvalid without actor or reason.
func (s *Store) Cancel(ctx context.Context, proposalID, actor, reason string) (trade.Status, error) {
	if actor == "" || reason == "" {
		return "", fmt.Errorf("cancel %s: %w: actor and reason are required", proposalID, ErrInvalid)
	}
	return s.close(ctx, proposalID, "proposal.cancel", cancelSQL, shorten(actor), shorten(reason))
}

// close runs one closing statement under the account lock, which is what makes
// it exclude a claim.
func (s *Store) close(ctx context.Context, proposalID, kind, sql, actor, reason string) (trade.Status, error) {
	var now trade.Status
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockForProposal(ctx, tx, proposalID); err != nil {
			return err
		}
		args := pgx.NamedArgs{"id": proposalID, "actor": actor, "reason": reason}
		tag, err := tx.Exec(ctx, sql, args)
		if err != nil {
			return err
		}
		p, err := readProposal(ctx, tx, proposalID)
		if err != nil {
			return err
		}
		now = p.Status
		if tag.RowsAffected() == 0 {
			return nil
		}
		return appendAudit(ctx, tx, event{
			Chain: p.AccountID, Kind: kind, User: p.UserID, Proposal: p.ID, Actor: actor,
			Body: map[string]any{"status": p.Status, "reason": reason},
		})
	})
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", kind, proposalID, err)
	}
	return now, nil
}

// NoteRefusal keeps in the audit that a signal to a proposal was refused.
// ErrNotFound when there is no such proposal.
func (s *Store) NoteRefusal(ctx context.Context, proposalID, signal, problem string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		p, err := readProposal(ctx, tx, proposalID)
		if err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: p.AccountID, Kind: "signal.refused", User: p.UserID, Proposal: p.ID,
			Body: map[string]any{"signal": shorten(signal), "problem": shorten(problem)},
		})
	})
	if err != nil {
		return fmt.Errorf("signal to %s: %w", proposalID, err)
	}
	return nil
}

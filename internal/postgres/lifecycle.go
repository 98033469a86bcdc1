package postgres

import (
	"context"
	"fmt"
	"time"

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
	return s.close(ctx, proposalID, "proposal.cancel", cancelSQL, actor, reason)
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

const insertOverrideSQL = `
	INSERT INTO interlock.overrides (id, proposal_id, cooldown, anti_flip, actor, verified, reason, via, expires_at)
	VALUES (@id, @proposal, @cooldown, @antiFlip, @actor, @verified, @reason, @via, coalesce(@expires, clock_timestamp() + @life))
	ON CONFLICT (proposal_id, id) DO NOTHING`

// StoreOverride keeps an override for the next execute. One that is not
// usable changes nothing but the audit, and the problem says why. The same ID
// again changes nothing.
func (s *Store) StoreOverride(ctx context.Context, o trade.Override, via string) (problem string, err error) {
	problem = o.Problem()
	o.Actor, o.Reason = shorten(o.Actor), shorten(o.Reason)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockForProposal(ctx, tx, o.ProposalID); err != nil {
			return err
		}
		p, err := readProposal(ctx, tx, o.ProposalID)
		if err != nil {
			return err
		}
		kind := "override.refused"
		if problem == "" {
			kind = "override.stored"
			stored, err := insertOverride(ctx, tx, o, via)
			if err != nil || !stored {
				return err
			}
		}
		return appendAudit(ctx, tx, event{
			Chain: p.AccountID, Kind: kind, User: p.UserID, Proposal: p.ID, Actor: o.Actor,
			Body: map[string]any{"override": o, "via": via, "problem": problem},
		})
	})
	if err != nil {
		return "", fmt.Errorf("override %s: %w", o.ProposalID, err)
	}
	return problem, nil
}

func insertOverride(ctx context.Context, tx pgx.Tx, o trade.Override, via string) (bool, error) {
	var expires *time.Time
	if !o.ExpiresAt.IsZero() {
		expires = &o.ExpiresAt
	}
	tag, err := tx.Exec(ctx, insertOverrideSQL, pgx.StrictNamedArgs{
		"id": o.ID, "proposal": o.ProposalID, "cooldown": o.Cooldown, "antiFlip": o.AntiFlip, "actor": o.Actor,
		"verified": o.Verified, "reason": o.Reason, "via": via, "expires": expires, "life": trade.OverrideLife,
	})
	return tag.RowsAffected() == 1, err
}

// Resolve takes a person's word on an unresolved order: the order it is, as
// the exchange showed it, or nil for none. It counts only while the execution
// is UNRESOLVED, and as trade.Doubt.Objection says; the problem is what stood
// against it.
func (s *Store) Resolve(ctx context.Context, c trade.Claim, number int, o *trade.Order, exchangeNow time.Time, actor, reason string) (problem string, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		execution, err := lockExecution(ctx, tx, c.ExecutionID)
		if err != nil {
			return err
		}
		attempt, err := one[attemptRow](ctx, tx, attemptSQL, pgx.StrictNamedArgs{"execution": execution.ID, "number": number})
		if err != nil {
			return err
		}
		if problem = resolveProblem(execution, attempt, actor, reason); problem == "" {
			doubt, _, err := readDoubt(ctx, tx, execution, attempt)
			if err != nil {
				return err
			}
			problem = doubt.Objection(c.Plan, o, exchangeNow)
		}
		if problem == "" {
			err = resolve(ctx, tx, execution, attempt, o)
		}
		if err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: execution.AccountID, Kind: "execution.resolve", User: execution.UserID, Proposal: execution.ProposalID, Actor: actor,
			Body: map[string]any{"execution": execution.ID, "number": number, "order": o, "reason": reason, "problem": problem},
		})
	})
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", c.ProposalID, err)
	}
	return problem, nil
}

func resolveProblem(e executionRow, a attemptRow, actor, reason string) string {
	switch {
	case actor == "" || reason == "":
		return "actor and reason are required"
	case e.Status != string(trade.Unresolved) || a.Verdict != nil:
		return "the proposal is not UNRESOLVED"
	}
	return ""
}

func resolve(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow, o *trade.Order) error {
	verdict := trade.ConcludedAbsent
	if o != nil {
		verdict = trade.ConcludedAccepted
	}
	if err := concludeAttempt(ctx, tx, e, a.Number, verdict, o); err != nil {
		return err
	}
	return setStatus(ctx, tx, e.ID, trade.Executing)
}

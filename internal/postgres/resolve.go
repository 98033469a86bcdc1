package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// Resolve takes a person's word on an unresolved order: the order it is, as
// the exchange showed it, or none. It counts only while the execution is
// UNRESOLVED, and as trade.Doubt.Objection says; the problem
// says what stood against it, and the audit keeps both. ErrNotFound when the
// claim is not in force in this database.
func (s *Store) Resolve(ctx context.Context, c trade.Claim, number int, w trade.Word) (problem string, err error) {
	w.Actor, w.Reason = shorten(w.Actor), shorten(w.Reason)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		execution, err := lockClaim(ctx, tx, c)
		if err != nil {
			return err
		}
		attempt, err := one[attemptRow](ctx, tx, attemptSQL, pgx.StrictNamedArgs{"execution": execution.ID, "number": number})
		if err != nil {
			return err
		}
		if problem, err = weigh(ctx, tx, execution, attempt, c.Plan, w); err != nil {
			return err
		}
		if problem == "" {
			if err := resolve(ctx, tx, execution, attempt, w.Order); err != nil {
				return err
			}
		}
		return appendAudit(ctx, tx, event{
			Chain: execution.AccountID, Kind: "execution.resolve", User: execution.UserID, Proposal: execution.ProposalID, Actor: w.Actor,
			Body: map[string]any{"execution": execution.ID, "number": number, "order": w.Order, "reason": w.Reason, "problem": problem},
		})
	})
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", c.ProposalID, err)
	}
	return problem, nil
}

// weigh says what stands against a person's word; nothing when it counts.
func weigh(ctx context.Context, tx pgx.Tx, e executionRow, a attemptRow, plan trade.Plan, w trade.Word) (string, error) {
	switch {
	case w.Problem != "":
		return w.Problem, nil
	case w.Actor == "" || w.Reason == "":
		return "actor and reason are required", nil
	case e.Status != string(trade.Unresolved) || a.Verdict != nil:
		return "the proposal is not UNRESOLVED", nil
	}
	doubt, _, err := readDoubt(ctx, tx, e, a)
	if err != nil {
		return "", err
	}
	return doubt.Objection(plan, w.Order, w.ExchangeNow), nil
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

package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
	"interlock/internal/view"
)

// signed adds to a row's body in whose verified name it is written, if in
// anybody's: an actor alone may be what somebody called themselves.
func signed(ctx context.Context, body []byte) ([]byte, error) {
	who, ok := view.VerifiedIn(ctx)
	if !ok {
		return body, nil
	}
	proof, err := json.Marshal(map[string]view.Identity{"verified": who})
	if err != nil {
		return nil, err
	}
	fields, open := bytes.CutSuffix(bytes.TrimSpace(body), []byte("}"))
	if !open {
		return nil, errors.New("its body is no object")
	}
	if !bytes.HasSuffix(bytes.TrimSpace(fields), []byte("{")) {
		fields = append(bytes.Clone(fields), ',')
	}
	return append(bytes.Clone(fields), proof[1:]...), nil
}

// Act is what a verified person asks of a proposal's workflow, which cannot
// tell who was verified.
type Act = view.Act

// NoteAct records who asks for what before it is asked. ErrInvalid when nobody
// was verified.
func (s *Store) NoteAct(ctx context.Context, p trade.Proposal, a Act) error {
	who, ok := view.VerifiedIn(ctx)
	if !ok {
		return fmt.Errorf("note %s of %s: %w: nobody was verified", a.Act, p.ID, ErrInvalid)
	}
	a.Reason = shorten(a.Reason)
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		return appendAudit(ctx, tx, event{
			Chain: p.AccountID, Kind: "person.asked", User: p.UserID, Proposal: p.ID, Actor: who.UserID, Body: a,
		})
	})
	if err != nil {
		return fmt.Errorf("note %s of %s: %w", a.Act, p.ID, err)
	}
	return nil
}

const reduceSQL = `
	UPDATE interlock.trading_controls SET state = 'REDUCING', actor = @actor, reason = @reason, changed_at = clock_timestamp()
	WHERE scope = @scope AND state <> 'HALTED'`

// Reduce lets a scope only sell what is held. ErrConflict when it is halted:
// that would let it trade more, not less.
func (s *Store) Reduce(ctx context.Context, scope, actor, reason string) error {
	if actor == "" || reason == "" {
		return fmt.Errorf("reduce %s: %w: actor and reason are required", scope, ErrInvalid)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, reduceSQL, pgx.StrictNamedArgs{"scope": scope, "actor": actor, "reason": reason})
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("%w: it is halted", ErrConflict)
		}
		return appendAudit(ctx, tx, event{
			Chain: scope, Kind: "trading.state", Actor: actor, Body: map[string]any{"state": trade.Reducing, "reason": reason},
		})
	})
	if err != nil {
		return fmt.Errorf("reduce %s: %w", scope, err)
	}
	return nil
}

package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// policyTurnSQL lets writers of one policy queue. The primary key is what
// keeps versions apart; the queue only spares them the conflict.
const policyTurnSQL = `SELECT pg_advisory_xact_lock(hashtextextended('interlock policy ' || @user || '/' || @account, 0))`

const insertPolicySQL = `
	INSERT INTO interlock.trading_policies (user_id, account_id, version, body, created_by)
	VALUES (@user, @account, @version, @body, @actor)`

// PutPolicy stores the next version of a user's policy on an account and
// returns its number; a policy equal to the current version returns that one.
// ErrInvalid when it would not read back, or when the account is unknown.
func (s *Store) PutPolicy(ctx context.Context, user, account string, p trade.Policy, actor string) (version int, err error) {
	body, err := policyBody(p)
	if err == nil {
		err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
			version, err = putPolicy(ctx, tx, user, account, body, actor)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("put policy of %s on %s: %w", user, account, err)
	}
	return version, nil
}

// policyBody is the one text of a policy. What does not read back is refused:
// stored, it would allow nothing, and nobody would know why.
func policyBody(p trade.Policy) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := trade.ParsePolicy(body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return body, nil
}

func putPolicy(ctx context.Context, tx pgx.Tx, user, account string, body []byte, actor string) (int, error) {
	if _, err := tx.Exec(ctx, policyTurnSQL, pgx.StrictNamedArgs{"user": user, "account": account}); err != nil {
		return 0, err
	}
	current, stored, err := currentPolicy(ctx, tx, user, account)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return 0, err
	case err == nil && samePolicy(stored, body):
		return current, nil
	}
	version := current + 1
	_, err = tx.Exec(ctx, insertPolicySQL, pgx.StrictNamedArgs{
		"user": user, "account": account, "version": version, "body": string(body), "actor": actor,
	})
	if err != nil {
		return 0, err
	}
	return version, appendAudit(ctx, tx, event{
		Chain: account, Kind: "policy.stored", User: user, Actor: actor,
		Body: map[string]any{"version": version, "policy": json.RawMessage(body)},
	})
}

// samePolicy compares what two texts mean: another program may have written
// the stored one.
func samePolicy(stored, body []byte) bool {
	p, err := trade.ParsePolicy(stored)
	if err != nil {
		return false
	}
	text, err := json.Marshal(p)
	return err == nil && bytes.Equal(text, body)
}

func currentPolicy(ctx context.Context, q querier, user, account string) (version int, body json.RawMessage, err error) {
	err = q.QueryRow(ctx, currentPolicySQL, pgx.StrictNamedArgs{"user": user, "account": account}).Scan(&version, &body)
	return version, body, err
}

// Policy reads the version in force. ErrNotFound when the user has none on the
// account; ErrInvalid, with the version, when what is stored does not decode.
func (s *Store) Policy(ctx context.Context, user, account string) (trade.Policy, int, error) {
	version, body, err := currentPolicy(ctx, s.pool, user, account)
	if err != nil {
		return trade.Policy{}, 0, fmt.Errorf("policy of %s on %s: %w", user, account, classify(err))
	}
	p, err := trade.ParsePolicy(body)
	if err != nil {
		return trade.Policy{}, version, fmt.Errorf("policy of %s on %s, version %d: %w: %w", user, account, version, ErrInvalid, err)
	}
	return p, version, nil
}

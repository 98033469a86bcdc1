package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// globalChain is the audit chain of what concerns every account.
const globalChain = "*"

// event is one audit row before it is appended. Body is everything the state
// change was made from.
type event struct {
	Chain    string // account, or globalChain
	Kind     string // subject.verb, such as "preflight.claimed"
	User     string
	Proposal string
	Actor    string
	Body     any
}

const appendAuditSQL = `SELECT interlock.audit_append(@chain, @kind, nullif(@user, ''), nullif(@proposal, ''), nullif(@actor, ''), @body)`

// appendAudit must be the last statement of its transaction: it holds the
// chain's lock until commit.
func appendAudit(ctx context.Context, tx pgx.Tx, e event) error {
	body, err := json.Marshal(e.Body)
	if err == nil {
		body, err = signed(ctx, body)
	}
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Kind, err)
	}
	_, err = tx.Exec(ctx, appendAuditSQL, pgx.StrictNamedArgs{
		"chain": e.Chain, "kind": e.Kind, "user": storable(e.User), "proposal": storable(e.Proposal), "actor": storable(e.Actor), "body": string(body),
	})
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Kind, err)
	}
	return nil
}

package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"interlock/internal/audit"
)

const auditColumns = `chain, seq, at, kind, user_id, proposal_id, actor, body::text AS body, prev_hash, hash`

const auditOfSQL = `SELECT ` + auditColumns + ` FROM interlock.audit_events WHERE proposal_id = @proposal ORDER BY at, seq`

// AuditOf lists everything that was recorded of a proposal, oldest first.
func (s *Store) AuditOf(ctx context.Context, proposalID string) ([]audit.Event, error) {
	rows, err := all[audit.Row](ctx, s.pool, auditOfSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if err != nil {
		return nil, fmt.Errorf("audit of %s: %w", proposalID, classify(err))
	}
	events := make([]audit.Event, len(rows))
	for i, r := range rows {
		events[i] = r.Event()
	}
	return events, nil
}

const auditPage = 2000

const auditPageSQL = `
	SELECT ` + auditColumns + ` FROM interlock.audit_events
	WHERE chain = @chain AND seq > @after ORDER BY seq LIMIT @most`

// auditHeadsSQL also finds a chain whose head was removed.
const auditHeadsSQL = `
	SELECT coalesce(h.chain, e.chain) AS chain, coalesce(h.seq, 0) AS seq, coalesce(h.hash, '') AS hash
	FROM interlock.audit_heads h FULL JOIN (SELECT DISTINCT chain FROM interlock.audit_events) e ON e.chain = h.chain
	ORDER BY 1`

// VerifyAudit computes every chain's hashes again, in this program, as the
// definition says and not as the database's function does. Each chain must
// pass through the marks, which are heads that it had earlier.
func (s *Store) VerifyAudit(ctx context.Context, marks ...audit.Head) ([]audit.Report, error) {
	chains := map[string]*audit.Follower{}
	follower := func(chain string) *audit.Follower {
		if chains[chain] == nil {
			chains[chain] = audit.Follow(chain, marks...)
		}
		return chains[chain]
	}
	heads, err := s.ReadAudit(ctx, func(r audit.Row) error {
		follower(r.Chain).Next(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		if !slices.ContainsFunc(heads, func(h audit.Head) bool { return h.Chain == m.Chain }) {
			heads = append(heads, audit.Head{Chain: m.Chain})
		}
	}
	reports := make([]audit.Report, len(heads))
	for i, head := range heads {
		reports[i] = follower(head.Chain).End(head)
	}
	return reports, nil
}

// ReadAudit hands out every row, chain by chain in the order of their numbers,
// and then returns the chains' heads. It reads one snapshot, so a chain that
// grows meanwhile is no contradiction. An error of take ends it.
func (s *Store) ReadAudit(ctx context.Context, take func(audit.Row) error) ([]audit.Head, error) {
	var heads []audit.Head
	snapshot := pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + bounds}
	err := pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) (err error) {
		if heads, err = all[audit.Head](ctx, tx, auditHeadsSQL, pgx.StrictNamedArgs{}); err != nil {
			return err
		}
		for _, head := range heads {
			if err := readChain(ctx, tx, head.Chain, take); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", classify(err))
	}
	return heads, nil
}

func readChain(ctx context.Context, tx pgx.Tx, chain string, take func(audit.Row) error) error {
	for after := int64(0); ; {
		rows, err := all[audit.Row](ctx, tx, auditPageSQL, pgx.StrictNamedArgs{"chain": chain, "after": after, "most": auditPage})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := take(r); err != nil {
				return err
			}
			after = r.Seq
		}
		if len(rows) < auditPage {
			return nil
		}
	}
}

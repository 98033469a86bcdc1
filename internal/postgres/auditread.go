package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// AuditEvent is one row of the audit as people read it.
type AuditEvent struct {
	Chain      string          `json:"chain"`
	Seq        int64           `json:"seq"`
	At         time.Time       `json:"at"`
	Kind       string          `json:"kind"`
	UserID     string          `json:"userId,omitempty"`
	ProposalID string          `json:"proposalId,omitempty"`
	Actor      string          `json:"actor,omitempty"`
	Body       json.RawMessage `json:"body"`
}

// auditRow is a row as it was hashed: null and empty are different, and the
// body is its text.
type auditRow struct {
	Chain      string    `db:"chain"`
	Seq        int64     `db:"seq"`
	At         time.Time `db:"at"`
	Kind       string    `db:"kind"`
	UserID     *string   `db:"user_id"`
	ProposalID *string   `db:"proposal_id"`
	Actor      *string   `db:"actor"`
	Body       string    `db:"body"`
	PrevHash   []byte    `db:"prev_hash"`
	Hash       []byte    `db:"hash"`
}

const auditColumns = `chain, seq, at, kind, user_id, proposal_id, actor, body::text AS body, prev_hash, hash`

func (r auditRow) event() AuditEvent {
	return AuditEvent{
		Chain: r.Chain, Seq: r.Seq, At: r.At, Kind: r.Kind, Body: json.RawMessage(r.Body),
		UserID: orEmpty(r.UserID), ProposalID: orEmpty(r.ProposalID), Actor: orEmpty(r.Actor),
	}
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

const auditOfSQL = `SELECT ` + auditColumns + ` FROM interlock.audit_events WHERE proposal_id = @proposal ORDER BY at, seq`

// AuditOf lists everything that was recorded of a proposal, oldest first.
func (s *Store) AuditOf(ctx context.Context, proposalID string) ([]AuditEvent, error) {
	rows, err := all[auditRow](ctx, s.pool, auditOfSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if err != nil {
		return nil, fmt.Errorf("audit of %s: %w", proposalID, classify(err))
	}
	events := make([]AuditEvent, len(rows))
	for i, r := range rows {
		events[i] = r.event()
	}
	return events, nil
}

// ChainReport says how far an audit chain holds.
type ChainReport struct {
	Chain    string `json:"chain"`
	Rows     int64  `json:"rows"`               // that hold
	Head     string `json:"head"`               // hash of the last row that holds, in hex
	FirstBad int64  `json:"firstBad,omitempty"` // number of the first row that does not hold; 0: all do
	Problem  string `json:"problem,omitempty"`  // why it does not
}

// Holds reports whether nothing in the chain was changed, removed or added.
func (r ChainReport) Holds() bool { return r.Problem == "" }

const auditPage = 2000

const auditPageSQL = `
	SELECT ` + auditColumns + ` FROM interlock.audit_events
	WHERE chain = @chain AND seq > @after ORDER BY seq LIMIT @most`

type headRow struct {
	Chain string `db:"chain"`
	Seq   int64  `db:"seq"`
	Hash  []byte `db:"hash"`
}

// auditHeadsSQL also finds a chain whose head was removed.
const auditHeadsSQL = `
	SELECT coalesce(h.chain, e.chain) AS chain, coalesce(h.seq, 0) AS seq, coalesce(h.hash, '') AS hash
	FROM interlock.audit_heads h FULL JOIN (SELECT DISTINCT chain FROM interlock.audit_events) e ON e.chain = h.chain
	ORDER BY 1`

// VerifyAudit computes every chain's hashes again, in this program, as the
// definition says and not as the database's function does. It reads one
// snapshot, so a chain that grows meanwhile is no contradiction.
func (s *Store) VerifyAudit(ctx context.Context) ([]ChainReport, error) {
	var reports []ChainReport
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		heads, err := all[headRow](ctx, tx, auditHeadsSQL, pgx.StrictNamedArgs{})
		if err != nil {
			return err
		}
		for _, head := range heads {
			report, err := verifyChain(ctx, tx, head)
			if err != nil {
				return err
			}
			reports = append(reports, report)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify audit: %w", classify(err))
	}
	return reports, nil
}

// verifyChain follows one chain to its first row that does not hold.
func verifyChain(ctx context.Context, tx pgx.Tx, head headRow) (ChainReport, error) {
	last := headRow{Chain: head.Chain, Hash: make([]byte, sha256.Size)}
	report := func(problem string, bad int64) (ChainReport, error) {
		return ChainReport{Chain: head.Chain, Rows: last.Seq, Head: hex.EncodeToString(last.Hash), FirstBad: bad, Problem: problem}, nil
	}
	for {
		rows, err := all[auditRow](ctx, tx, auditPageSQL, pgx.StrictNamedArgs{"chain": head.Chain, "after": last.Seq, "most": auditPage})
		if err != nil {
			return ChainReport{}, err
		}
		for _, r := range rows {
			if problem := last.problemWith(r); problem != "" {
				return report(problem, last.Seq+1)
			}
			last.Seq, last.Hash = r.Seq, r.Hash
		}
		if len(rows) < auditPage {
			problem, bad := last.problemWithHead(head)
			return report(problem, bad)
		}
	}
}

// problemWith says why r cannot follow last; empty when it can.
func (last headRow) problemWith(r auditRow) string {
	switch {
	case r.Seq != last.Seq+1:
		return fmt.Sprintf("row %d is missing: row %d follows row %d", last.Seq+1, r.Seq, last.Seq)
	case !bytes.Equal(r.PrevHash, last.Hash):
		return "it does not continue the row before it"
	case !bytes.Equal(r.Hash, auditHash(r)):
		return "its content is not what was hashed"
	}
	return ""
}

// problemWithHead finds rows that were cut off, or added without the function.
func (last headRow) problemWithHead(head headRow) (problem string, bad int64) {
	switch {
	case head.Seq > last.Seq:
		return fmt.Sprintf("the last rows are missing: the chain should end at %d and ends at %d", head.Seq, last.Seq), last.Seq + 1
	case head.Seq < last.Seq:
		return fmt.Sprintf("the chain should end at %d and ends at %d", head.Seq, last.Seq), head.Seq + 1
	case !bytes.Equal(head.Hash, last.Hash):
		return "the chain's head is another", last.Seq
	}
	return "", 0
}

// auditTime is to_char's 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'.
const auditTime = "2006-01-02T15:04:05.000000Z"

// auditHash is the definition that the migration gives: the previous hash, then
// every field behind its length in bytes, -1 for null.
func auditHash(r auditRow) []byte {
	text := bytes.Clone(r.PrevHash)
	at, seq := r.At.UTC().Format(auditTime), strconv.FormatInt(r.Seq, 10)
	for _, field := range []*string{&r.Chain, &seq, &at, &r.Kind, r.UserID, r.ProposalID, r.Actor, &r.Body} {
		if field == nil {
			text = binary.BigEndian.AppendUint32(text, ^uint32(0))
			continue
		}
		text = binary.BigEndian.AppendUint32(text, uint32(len(*field)))
		text = append(text, *field...)
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

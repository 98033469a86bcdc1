// Package audit says what an audit row is, how rows are chained, and what the
// rows of a proposal tell. It owns the hash's definition, the file that an
// export is, and the sentences. It refuses to know where rows are kept: rows
// go in, reports and sentences come out.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"
)

// Row is a row as it was hashed: null and empty are different, and the body is
// its text.
type Row struct {
	Chain      string    `db:"chain" json:"chain"`
	Seq        int64     `db:"seq" json:"seq"`
	At         time.Time `db:"at" json:"at"`
	Kind       string    `db:"kind" json:"kind"`
	UserID     *string   `db:"user_id" json:"userId"`
	ProposalID *string   `db:"proposal_id" json:"proposalId"`
	Actor      *string   `db:"actor" json:"actor"`
	Body       string    `db:"body" json:"body"`
	PrevHash   Hash      `db:"prev_hash" json:"prevHash"`
	Hash       Hash      `db:"hash" json:"hash"`
}

// Event is a row as people read it.
type Event struct {
	Chain      string          `json:"chain"`
	Seq        int64           `json:"seq"`
	At         time.Time       `json:"at"`
	Kind       string          `json:"kind"`
	UserID     string          `json:"userId,omitempty"`
	ProposalID string          `json:"proposalId,omitempty"`
	Actor      string          `json:"actor,omitempty"`
	Body       json.RawMessage `json:"body"`
}

// Event is r without what only its chain needs.
func (r Row) Event() Event {
	return Event{
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

// hashedTime is to_char's 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'.
const hashedTime = "2006-01-02T15:04:05.000000Z"

// ownHash is the definition that the migration gives: the previous hash, then
// every field behind its length in bytes, -1 for null.
func (r Row) ownHash() Hash {
	text := bytes.Clone(r.PrevHash)
	at, seq := r.At.UTC().Format(hashedTime), strconv.FormatInt(r.Seq, 10)
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

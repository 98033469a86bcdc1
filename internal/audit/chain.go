package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 sum; JSON shows it in hex.
type Hash []byte

// MarshalText writes h in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText fails when text is not hex.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h Hash) String() string { return hex.EncodeToString(h) }

// Head is where a chain ends: its number of rows, and the hash of the last.
type Head struct {
	Chain string `db:"chain" json:"chain"`
	Rows  int64  `db:"seq" json:"rows"`
	Hash  Hash   `db:"hash" json:"hash"`
}

// Report says how far a chain holds.
type Report struct {
	Chain    string `json:"chain"`
	Rows     int64  `json:"rows"`               // that hold
	Head     Hash   `json:"head"`               // hash of the last row that holds
	FirstBad int64  `json:"firstBad,omitempty"` // number of the first row that does not hold; 0: all do
	Problem  string `json:"problem,omitempty"`  // why it does not
}

// Holds reports whether nothing in the chain was changed, removed or added.
func (r Report) Holds() bool { return r.Problem == "" }

// Follower follows one chain from its first row. It remembers the first row
// that does not hold, and looks at nothing after it.
type Follower struct {
	report Report
	marks  map[int64]Hash
}

// Follow begins a chain. The marks are heads that it had earlier and must
// still pass through; those of other chains are ignored.
func Follow(chain string, marks ...Head) *Follower {
	f := &Follower{report: Report{Chain: chain, Head: make(Hash, sha256.Size)}, marks: map[int64]Hash{}}
	for _, m := range marks {
		if m.Chain == chain {
			f.marks[m.Rows] = m.Hash
		}
	}
	return f
}

// Next takes the next row, in the order of their numbers.
func (f *Follower) Next(r Row) {
	if !f.report.Holds() {
		return
	}
	if problem := f.problemWith(r); problem != "" {
		f.report.FirstBad, f.report.Problem = f.report.Rows+1, problem
		return
	}
	f.report.Rows, f.report.Head = r.Seq, r.Hash
}

func (f *Follower) problemWith(r Row) string {
	last := f.report
	switch mark, marked := f.marks[r.Seq]; {
	case r.Chain != last.Chain:
		return fmt.Sprintf("it is a row of chain %q", r.Chain)
	case r.Seq != last.Rows+1:
		return fmt.Sprintf("row %d is missing: row %d follows row %d", last.Rows+1, r.Seq, last.Rows)
	case !bytes.Equal(r.PrevHash, last.Head):
		return "it does not continue the row before it"
	case !bytes.Equal(r.Hash, r.ownHash()):
		return "its content is not what was hashed"
	case marked && !bytes.Equal(r.Hash, mark):
		return "up to here the chain is another than it was"
	}
	return ""
}

// End says how the chain holds up to its head, which finds rows that were cut
// off, and rows that were added without it.
func (f *Follower) End(head Head) Report {
	if !f.report.Holds() {
		return f.report
	}
	f.report.FirstBad, f.report.Problem = f.problemWithEnd(head)
	return f.report
}

func (f *Follower) problemWithEnd(head Head) (bad int64, problem string) {
	last := f.report
	for rows := range f.marks {
		if rows > max(head.Rows, last.Rows) {
			head.Rows = rows
		}
	}
	switch {
	case head.Rows > last.Rows:
		return last.Rows + 1, fmt.Sprintf("the last rows are missing: the chain should end at %d and ends at %d", head.Rows, last.Rows)
	case head.Rows < last.Rows:
		return head.Rows + 1, fmt.Sprintf("the chain should end at %d and ends at %d", head.Rows, last.Rows)
	case !bytes.Equal(head.Hash, last.Head):
		return max(last.Rows, 1), "the chain's head is another"
	}
	return 0, ""
}

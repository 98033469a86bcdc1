package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
)

func rowName(r AuditRow) string { return fmt.Sprintf("%s %d", r.Chain, r.Seq) }

// chainsHold computes every hash again, as the migration that made the audit
// defines it.
func chainsHold(c *inquiry) {
	heads := map[string]HeadRow{}
	for _, h := range c.r.Heads {
		heads[h.Chain] = h
	}
	last := map[string]HeadRow{}
	for _, h := range c.r.Heads {
		last[h.Chain] = HeadRow{h.Chain, 0, make([]byte, sha256.Size)}
	}
	for _, r := range c.r.Audit {
		before, known := last[r.Chain]
		switch {
		case !known:
			c.reportf(AuditChain, rowName(r), "its chain has no head")
			before.Seq, before.Hash = r.Seq-1, r.PrevHash
		case r.Seq != before.Seq+1:
			c.reportf(AuditChain, rowName(r), "it follows row %d", before.Seq)
		case !bytes.Equal(r.PrevHash, before.Hash):
			c.reportf(AuditChain, rowName(r), "it does not continue the row before it")
		}
		if !bytes.Equal(r.Hash, hashOf(r)) {
			c.reportf(AuditChain, rowName(r), "its content is not what was hashed")
		}
		last[r.Chain] = HeadRow{r.Chain, r.Seq, r.Hash}
	}
	for chain, h := range heads {
		if end := last[chain]; end.Seq != h.Seq || !bytes.Equal(end.Hash, h.Hash) {
			c.reportf(AuditChain, chain, "it ends at row %d, its head is row %d (same hash: %t)", end.Seq, h.Seq, bytes.Equal(end.Hash, h.Hash))
		}
	}
}

// auditTime writes a time as PostgreSQL's to_char(… 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"').
const auditTime = "2006-01-02T15:04:05.000000Z"

// hashOf is SHA-256 over the previous hash, then every field behind its length
// in bytes (four of them, big-endian), where -1 stands for null.
func hashOf(r AuditRow) []byte {
	h := sha256.New()
	h.Write(r.PrevHash)
	field := func(text *string) {
		length := int32(-1)
		if text != nil {
			length = int32(len(*text))
		}
		_ = binary.Write(h, binary.BigEndian, length)
		h.Write([]byte(orEmpty(text)))
	}
	seq, at := strconv.FormatInt(r.Seq, 10), r.At.UTC().Format(auditTime)
	for _, text := range []*string{&r.Chain, &seq, &at, &r.Kind, r.UserID, r.ProposalID, r.Actor, &r.Body} {
		field(text)
	}
	return h.Sum(nil)
}

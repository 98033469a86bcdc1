package verify

import (
	"maps"
	"slices"
	"strings"
)

// Heard is one event as a service got it that was told everything.
type Heard struct {
	ID         int64
	Kind       string
	ProposalID string
}

// eventKinds are the audit's kinds of which a service is told whatever else
// there is, and what it is told.
var eventKinds = map[string]string{
	kindBlocked: "blocked", kindRecorded: "executed", kindFailed: "failed", kindUnresolved: "unresolved",
}

// eventsTold holds what was heard against the audit: of each proposal the same,
// in the same order, once what was heard again is left out.
func eventsTold(c *inquiry) {
	if c.o.Heard == nil {
		return
	}
	heard, told := c.firstHeard(), map[string][]string{}
	for _, row := range c.r.Audit {
		if kind, is := eventKinds[row.Kind]; is && row.Chain == c.o.Account {
			told[orEmpty(row.ProposalID)] = append(told[orEmpty(row.ProposalID)], kind)
		}
	}
	either := maps.Clone(told)
	maps.Copy(either, heard)
	for _, proposal := range sortedKeys(either) {
		if want, got := strings.Join(told[proposal], ", "), strings.Join(heard[proposal], ", "); want != got {
			c.reportf(EventsTold, proposal, "the audit says %q, and %q was heard", want, got)
		}
	}
}

// firstHeard are the kinds that were heard of each proposal, in their order and
// without what was heard again.
func (c *inquiry) firstHeard() map[string][]string {
	first, last, kinds := map[int64]Heard{}, map[string]int64{}, map[string][]string{}
	of := slices.Collect(maps.Values(eventKinds))
	for _, h := range c.o.Heard {
		known, again := first[h.ID]
		switch first[h.ID] = h; {
		case again && known != h:
			c.reportf(EventsTold, h.ProposalID, "event %d was heard as %+v and as %+v", h.ID, known, h)
		case again || !slices.Contains(of, h.Kind):
		case h.ID < last[h.ProposalID]:
			c.reportf(EventsTold, h.ProposalID, "event %d was first heard after event %d", h.ID, last[h.ProposalID])
		default:
			last[h.ProposalID] = h.ID
			kinds[h.ProposalID] = append(kinds[h.ProposalID], h.Kind)
		}
	}
	return kinds
}

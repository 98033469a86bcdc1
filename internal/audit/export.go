package audit

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// line is one line of an export: a row, or at its end the head of a chain.
type line struct {
	Row  *Row  `json:"row,omitempty"`
	Head *Head `json:"head,omitempty"`
}

// Exporter writes an export: JSON lines, the rows of one chain after the
// other, and at the end each chain's head.
type Exporter struct{ enc *json.Encoder }

// NewExporter writes to w, which it does not buffer.
func NewExporter(w io.Writer) *Exporter {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Exporter{enc}
}

// Row writes one row.
func (e *Exporter) Row(r Row) error { return e.enc.Encode(line{Row: &r}) }

// Heads ends the export.
func (e *Exporter) Heads(heads []Head) error {
	for _, h := range heads {
		if err := e.enc.Encode(line{Head: &h}); err != nil {
			return err
		}
	}
	return nil
}

// VerifyExport follows every chain of an export to its head. It fails when the
// text is no export; an export that was tampered with is a report. With marks,
// the chains must pass through those earlier heads.
func VerifyExport(r io.Reader, marks ...Head) ([]Report, error) {
	var chains []*Follower
	heads := map[string]Head{}
	err := readExport(r, func(row Row) error {
		if n := len(chains); n == 0 || chains[n-1].report.Chain != row.Chain {
			chains = append(chains, Follow(row.Chain, marks...))
		}
		chains[len(chains)-1].Next(row)
		return nil
	}, func(head Head) error {
		if _, twice := heads[head.Chain]; twice {
			return fmt.Errorf("a second head of chain %q", head.Chain)
		}
		heads[head.Chain] = head
		return nil
	})
	if err != nil {
		return nil, err
	}
	return reports(chains, heads, marks), nil
}

// reports also finds a chain that has a head and no row.
func reports(chains []*Follower, heads map[string]Head, marks []Head) []Report {
	var list []Report
	seen := map[string]bool{}
	for _, c := range chains {
		name := c.report.Chain
		head, ended := heads[name]
		report := c.End(head)
		switch {
		case seen[name]:
			report.FirstBad, report.Problem = 1, "the chain begins a second time"
		case !ended:
			report.FirstBad, report.Problem = report.Rows+1, "the export ends without this chain's head"
		}
		seen[name] = true
		list = append(list, report)
	}
	for _, must := range append(byChain(heads), marks...) {
		if !seen[must.Chain] && must.Rows > 0 {
			seen[must.Chain] = true
			list = append(list, Follow(must.Chain).End(must))
		}
	}
	return list
}

func byChain(heads map[string]Head) []Head {
	return slices.SortedFunc(maps.Values(heads), func(a, b Head) int { return cmp.Compare(a.Chain, b.Chain) })
}

// Heads reads only the heads of an export; an error when it has none.
func Heads(r io.Reader) ([]Head, error) {
	var heads []Head
	err := readExport(r, func(Row) error { return nil }, func(h Head) error {
		heads = append(heads, h)
		return nil
	})
	if err == nil && len(heads) == 0 {
		err = errors.New("there is no head in it; the end of the export is missing")
	}
	return heads, err
}

// longestLine bounds a row: its body is a few kilobytes.
const longestLine = 16 << 20

func readExport(r io.Reader, row func(Row) error, head func(Head) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	ending := false
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var l line
		err := json.Unmarshal(lines.Bytes(), &l)
		switch {
		case err != nil:
		case l.Row != nil && l.Head == nil && ending:
			err = errors.New("a row comes after a head; heads end the export")
		case l.Row != nil && l.Head == nil:
			err = row(*l.Row)
		case l.Head != nil && l.Row == nil:
			ending, err = true, head(*l.Head)
		default:
			err = errors.New(`it is neither {"row":…} nor {"head":…}`)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return lines.Err()
}

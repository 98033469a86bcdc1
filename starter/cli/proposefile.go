package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"interlock/internal/api"
	"interlock/internal/trade"
)

const maxProposals = 64 << 20

// proposeFile stores every proposal of a file and prints what became of them.
// A line that holds none is found before anything is sent. One that the API
// refuses is counted, and the others go on: the exit code is 1 then. An API that
// cannot be reached ends it.
func (a *app) proposeFile(ctx context.Context, f proposeFlags) error {
	text, err := readInput(f.file, maxProposals)
	if err != nil {
		return ends(exitUsage, fmt.Errorf("--file: %w", err))
	}
	bodies, err := parseProposals(text)
	if err == nil {
		err = checkAll(bodies, time.Now())
	}
	if err != nil {
		return ends(exitUsage, fmt.Errorf("--file: %s: %w", f.file, err))
	}
	r, err := a.remote()
	if err != nil {
		return err
	}
	sum := newTally()
	if err := eachOf(ctx, bodies, f.parallel, func(ctx context.Context, e entry) error {
		return r.proposeOne(ctx, e, f.execute, sum)
	}); err != nil {
		return errors.Join(err, a.showTally(sum))
	}
	return a.showTally(sum)
}

// entry is a proposal as a line of the file says it.
type entry struct {
	line  int
	body  json.RawMessage
	wrong error // the line cannot even be read
}

// checkAll finds every line that holds no proposal before one is sent.
func checkAll(entries []entry, now time.Time) error {
	var problems []string
	for _, e := range entries {
		err := e.wrong
		if err == nil {
			var body api.ProposalBody
			if err = trade.DecodeStrict(e.body, &body); err == nil {
				err = body.Check(now)
			}
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("line %d: %s", e.line, oneLine(err.Error())))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	more := ""
	if n := len(problems) - mostProblems; n > 0 {
		problems, more = problems[:mostProblems], fmt.Sprintf(" | and %d more", n)
	}
	return fmt.Errorf("nothing was stored: %s%s", strings.Join(problems, " | "), more)
}

// eachOf runs do for every entry, parallel ones at a time, and stops at the
// first error.
func eachOf(ctx context.Context, entries []entry, parallel int, do func(context.Context, entry) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan entry)
	var running sync.WaitGroup
	for range parallel {
		running.Go(func() {
			for e := range queue {
				if err := do(ctx, e); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			break
		}
		queue <- e
	}
	close(queue)
	running.Wait()
	return context.Cause(ctx)
}

func (r *remote) proposeOne(ctx context.Context, e entry, execute bool, sum *tally) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // another one has failed; eachOf reports it
	}
	reply, err := r.propose(ctx, e.body)
	if err != nil {
		return err
	}
	var stored struct{ ID, Market string }
	refused := reply.into(&stored)
	switch {
	case reply.http == http.StatusServiceUnavailable, reply.http == http.StatusUnauthorized:
		return refused
	case refused != nil:
		sum.count(notStored, nil, "", fmt.Sprintf("line %d: %s", e.line, oneLine(refused.Error())))
		return nil
	}
	if !execute {
		sum.count("STORED", nil, stored.Market, "")
		return nil
	}
	done, err := r.execute(ctx, api.ExecuteBody{ProposalID: stored.ID})
	if err != nil {
		return err
	}
	sum.count(done.outcome(), &done, stored.Market, "")
	return nil
}

// parseProposals reads JSON lines, or CSV when the text does not begin with an
// object. A line that is neither is an error with its number.
func parseProposals(text []byte) ([]entry, error) {
	text = bytes.TrimPrefix(bytes.TrimSpace(text), []byte("\xef\xbb\xbf"))
	if len(text) == 0 {
		return nil, errNoProposals
	}
	if text[0] == '{' {
		return parseLines(text)
	}
	return parseCSV(text)
}

func parseLines(text []byte) ([]entry, error) {
	var entries []entry
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		e := entry{line: number, body: json.RawMessage(line)}
		switch {
		case !utf8.Valid(line):
			e.wrong = errors.New("is not UTF-8; write it in UTF-8")
		case line[0] != '{' || !json.Valid(line):
			e.wrong = fmt.Errorf("%q is no JSON object; write each proposal on a line of its own", trade.Clip(string(line)))
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseCSV turns each row into an object of texts; empty cells are left out.
// What the fields mean is for the API to judge.
func parseCSV(text []byte) ([]entry, error) {
	rows := csv.NewReader(bytes.NewReader(text))
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if !slices.Contains(header, "market") || !slices.Contains(header, "side") {
		return nil, fmt.Errorf("header: %q names no market and side; the first line must name the fields", strings.Join(header, ","))
	}
	for i, name := range header {
		if slices.Index(header, name) != i {
			return nil, fmt.Errorf("header: %q is named twice; keep one", trade.Clip(name))
		}
	}
	rows.FieldsPerRecord = -1 // rows of another length are reported with all else
	var entries []entry
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			entries = append(entries, entry{line: broken.Line, wrong: fmt.Errorf("%w; write quotes twice inside of quotes", broken.Err)})
			break // what follows may be inside of quotes
		}
		if err != nil {
			return nil, err
		}
		line, _ := rows.FieldPos(0)
		entries = append(entries, rowOf(header, row, line))
	}
	if len(entries) == 0 {
		return nil, errNoProposals
	}
	return entries, nil
}

func rowOf(header, row []string, line int) entry {
	e := entry{line: line}
	if len(row) != len(header) {
		e.wrong = fmt.Errorf("has %d cells, and the header names %d fields; give one cell for each", len(row), len(header))
		return e
	}
	object := map[string]string{}
	for i, cell := range row {
		if !utf8.ValidString(cell) {
			e.wrong = fmt.Errorf("%s: is not UTF-8; write it in UTF-8", header[i])
		}
		if cell != "" {
			object[header[i]] = cell
		}
	}
	body, err := json.Marshal(object)
	e.body, e.wrong = body, errors.Join(e.wrong, err)
	return e
}

// tally counts what became of many proposals, and adds up their fills, so that
// the figures can be held against the exchange's own ledger.
type tally struct {
	mu       sync.Mutex
	Total    int               `json:"total"`
	Outcomes map[string]int    `json:"outcomes"`
	Orders   int               `json:"orders"`
	Filled   map[string]filled `json:"filled"` // by market
	Problems []string          `json:"problems,omitempty"`
}

type filled struct {
	Orders int             `json:"orders"`
	Base   decimal.Decimal `json:"amount"`
	Quote  decimal.Decimal `json:"amountQuote"`
	Fee    decimal.Decimal `json:"fee"`
}

func newTally() *tally { return &tally{Outcomes: map[string]int{}, Filled: map[string]filled{}} }

// notStored is the outcome of a proposal that the API refused.
const notStored = "NOT STORED"

// mostProblems is how many refusals are worth reading.
const mostProblems = 5

func (s *tally) count(outcome string, done *executeReply, market, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Total++
	s.Outcomes[outcome]++
	if problem != "" && len(s.Problems) < mostProblems {
		s.Problems = append(s.Problems, problem)
	}
	if done == nil || done.order == nil || done.http >= http.StatusMultipleChoices { // a 409 shows an order of before
		return
	}
	s.Orders++
	f := s.Filled[market]
	f.Orders++
	f.Base, f.Quote, f.Fee = add(f.Base, done.order.FilledAmount), add(f.Quote, done.order.FilledAmountQuote), add(f.Fee, done.order.FeePaid)
	s.Filled[market] = f
}

func add(sum decimal.Decimal, text string) decimal.Decimal {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return sum
	}
	return sum.Add(d)
}

func (a *app) showTally(s *tally) error {
	t := &table{header: []string{"OUTCOME", "PROPOSALS"}}
	for _, outcome := range sorted(s.Outcomes) {
		t.add(outcome, strconv.Itoa(s.Outcomes[outcome]))
	}
	t.add("total", strconv.Itoa(s.Total))
	refused := 0
	if s.Outcomes[notStored] > 0 {
		refused = exitFailed
	}
	if err := a.show(s, t); err != nil || a.json {
		return errors.Join(err, answered(refused))
	}
	for _, p := range s.Problems {
		fmt.Fprintln(a.out, "  "+p)
	}
	if len(s.Filled) == 0 {
		return answered(refused)
	}
	fmt.Fprintln(a.out)
	fills := &table{header: []string{"MARKET", "ORDERS", "AMOUNT", "QUOTE", "FEE"}}
	for _, market := range sorted(s.Filled) {
		f := s.Filled[market]
		fills.add(market, strconv.Itoa(f.Orders), f.Base.String(), f.Quote.String(), f.Fee.String())
	}
	fills.print(a.out)
	return answered(refused)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

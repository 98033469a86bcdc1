package verify

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// inquiry is one Check under way: what was read, indexed, and what was found.
type inquiry struct {
	l Ledger
	r Records
	o Options

	orders     map[OrderKey]Order         // Holder's, those of other programs included
	own        []Order                    // Holder's without those
	byClient   map[string][]Order         // own, by client order ID
	proposals  map[string]ProposalRow     // every account's
	executions map[int64]ExecutionRow     // every account's
	ofClient   map[string]ExecutionRow    // the account's, by client order ID
	ofProposal map[string]ExecutionRow    // by proposal
	attempts   map[int64][]AttemptRow     // by execution, by number
	excused    map[OrderKey]bool          // listed as different after a restore
	policies   map[policyKey]policy       // those that decode
	preflights []preflightRow             // by chain and number
	states     []stateRow                 // by chain and number
	claims     []claim                    // by time
	kinds      map[string][]AuditRow      // by chain and number
	lowest     map[string]decimal.Decimal // lowest reference price seen per market
	found      []Violation
}

func newInquiry(l Ledger, r Records, o Options) *inquiry {
	if o.Drift.IsZero() {
		o.Drift = decimal.New(1, -3)
	}
	c := &inquiry{
		l: l, r: r, o: o, orders: map[OrderKey]Order{}, byClient: map[string][]Order{}, proposals: map[string]ProposalRow{},
		executions: map[int64]ExecutionRow{}, ofClient: map[string]ExecutionRow{}, ofProposal: map[string]ExecutionRow{},
		attempts: map[int64][]AttemptRow{}, excused: map[OrderKey]bool{}, kinds: map[string][]AuditRow{},
	}
	c.indexLedger()
	c.indexRecords()
	c.readPolicies()
	c.readClaims()
	c.readStates()
	return c
}

func (c *inquiry) indexLedger() {
	foreign := map[OrderKey]bool{}
	for _, key := range c.o.Foreign {
		foreign[key] = true
	}
	for _, o := range c.l.Orders {
		if o.Holder != c.o.Holder {
			continue
		}
		c.orders[o.Key()] = o
		if foreign[o.Key()] {
			continue
		}
		c.own = append(c.own, o)
		if o.ClientOrderID != "" {
			id := strings.ToLower(o.ClientOrderID)
			c.byClient[id] = append(c.byClient[id], o)
		}
	}
}

func (c *inquiry) indexRecords() {
	for _, p := range c.r.Proposals {
		c.proposals[p.ID] = p
	}
	for _, e := range c.r.Executions {
		c.executions[e.ID] = e
		c.ofProposal[e.ProposalID] = e
		if e.AccountID == c.o.Account {
			c.ofClient[strings.ToLower(e.ClientOrderID)] = e
		}
	}
	for _, a := range c.r.Attempts {
		c.attempts[a.ExecutionID] = append(c.attempts[a.ExecutionID], a)
	}
	for _, row := range c.r.Audit {
		c.kinds[row.Kind] = append(c.kinds[row.Kind], row)
	}
	for _, d := range c.r.Differences {
		if c.o.Restored && d.AccountID == c.o.Account {
			c.excused[OrderKey{d.Market, d.OrderID}] = true
		}
	}
}

// accountExecutions are the executions whose orders the ledger shows.
func (c *inquiry) accountExecutions() []ExecutionRow {
	var list []ExecutionRow
	for _, e := range c.r.Executions {
		if e.AccountID == c.o.Account {
			list = append(list, e)
		}
	}
	return list
}

func (c *inquiry) reportf(rule, subject, format string, args ...any) {
	c.found = append(c.found, Violation{rule, subject, fmt.Sprintf(format, args...)})
}

// accepted lists the orders that attempts of an execution were accepted with.
func (c *inquiry) accepted(execution int64) []string {
	var ids []string
	for _, a := range c.attempts[execution] {
		if orEmpty(a.Verdict) == accepted {
			ids = append(ids, orEmpty(a.OrderID))
		}
	}
	return ids
}

// orderOf is the order at the exchange that an execution recorded.
func (c *inquiry) orderOf(e ExecutionRow) (Order, bool) {
	if e.AccountID != c.o.Account || e.OrderID == nil {
		return Order{}, false
	}
	o, ok := c.orders[OrderKey{e.Market, *e.OrderID}]
	return o, ok
}

// The words of the records that rules turn on.
const (
	pending    = "PENDING"
	executing  = "EXECUTING"
	unresolved = "UNRESOLVED"
	executed   = "EXECUTED"
	failed     = "FAILED"

	accepted = "accepted"
	void     = "void"

	buy = "buy"
)

// baseOf and quoteOf are the two assets of a market such as BTC-EUR.
func baseOf(market string) string  { base, _, _ := strings.Cut(market, "-"); return base }
func quoteOf(market string) string { _, quote, _ := strings.Cut(market, "-"); return quote }

func same(a, b *decimal.Decimal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func show(d *decimal.Decimal) string {
	if d == nil {
		return "none"
	}
	return d.String()
}

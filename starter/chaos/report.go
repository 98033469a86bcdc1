package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"interlock/starter/chaos/verify"
)

// Strike is how often something struck.
type Strike struct {
	Name   string `json:"name"`
	Struck int    `json:"struck"`
}

// Report is what a campaign did, met and proved.
type Report struct {
	Seed         uint64             `json:"seed"`
	Proposals    int                `json:"proposals"`
	Spares       int                `json:"spares"` // more proposals, to be struck by what had not struck yet
	Duration     string             `json:"duration"`
	Rate         float64            `json:"ordersPerSecond"`
	Tight        bool               `json:"tightLimits"`
	Seconds      float64            `json:"seconds"` // that it took, without bringing the stack up
	Faults       []Strike           `json:"faults"`
	Disturbances []Strike           `json:"disturbances"`
	Statuses     map[string]int     `json:"statuses"`
	Orders       int                `json:"orders"`
	Unresolved   int                `json:"unresolved"` // executions whose order was unknown for a while
	Reclaimed    int                `json:"reclaimed"`  // executions that were claimed again after they had failed
	Attempts     int                `json:"attempts"`
	Looks        int                `json:"looks"`
	Differences  int                `json:"differences"`
	Events       int                `json:"events"`     // that the service heard
	HeardAgain   int                `json:"heardAgain"` // of them, more than once
	Answers      map[string]int     `json:"answers"`
	Violations   []verify.Violation `json:"violations"`
	Invalid      []string           `json:"invalid"` // why it proves nothing
	Replay       string             `json:"replay"`
	StateKept    string             `json:"stateKept,omitempty"`
}

// Holds reports whether the campaign is valid and found no violation.
func (r Report) Holds() bool { return len(r.Invalid) == 0 && len(r.Violations) == 0 }

// Struck counts every fault, or every disturbance.
func Struck(list []Strike) int {
	n := 0
	for _, s := range list {
		n += s.Struck
	}
	return n
}

// Replay is the command that carries the same plan out again.
func (s Settings) Replay() string {
	return fmt.Sprintf("go run ./starter chaos --seed %d --proposals %d --duration %s --rate %v", s.Seed, s.Proposals, s.Duration, s.Rate)
}

func (c *campaign) report(ctx context.Context) (Report, error) {
	s := c.plan.Settings
	r := Report{
		Seed: s.Seed, Proposals: s.Proposals, Spares: c.spares, Duration: s.Duration.String(), Rate: s.Rate, Tight: s.tight(),
		Statuses: map[string]int{}, Answers: c.tally.answerCounts(), Invalid: []string{}, Replay: s.Replay(),
	}
	ledger, violations, err := c.check(ctx)
	if err != nil {
		return r, err
	}
	if err := errors.Join(c.look(ctx), c.countRecords(ctx, &r)); err != nil {
		return r, fmt.Errorf("count: %w", err)
	}
	for status, n := range c.board.counts() {
		r.Statuses[string(status)] = n
	}
	r.Violations = append([]verify.Violation{}, violations...)
	r.Orders = len(ledger.Orders)
	var forged int
	if r.Events, r.HeardAgain, forged = c.service.counts(); forged > 0 {
		r.Invalid = append(r.Invalid, fmt.Sprintf("%d requests to the service were not signed by ours", forged))
	}
	faults := c.tally.faultCounts()
	faults[idsRepeat] = repeated(ledger)
	r.fill(c.plan, faults, c.tally.disturbedCounts())
	r.Seconds = time.Since(c.began).Round(100 * time.Millisecond).Seconds()
	return r, nil
}

// repeated counts order IDs that more than one market has.
func repeated(l verify.Ledger) int {
	markets := map[string]int{}
	for _, o := range l.Orders {
		markets[o.OrderID]++
	}
	n := 0
	for _, count := range markets {
		if count > 1 {
			n++
		}
	}
	return n
}

// fill holds what struck against what was planned. Something planned that
// never struck makes the run invalid: it would prove less than it says.
func (r *Report) fill(p Plan, faults map[string]int, disturbances map[Kind]int) {
	for _, name := range p.faultNames() {
		r.Faults = append(r.Faults, Strike{name, faults[name]})
		if faults[name] == 0 {
			r.Invalid = append(r.Invalid, "the fault \""+name+"\" never struck")
		}
		delete(faults, name)
	}
	for name := range faults {
		r.Invalid = append(r.Invalid, "the exchange counted a fault that was not planned: "+name)
	}
	for _, kind := range p.disturbanceKinds() {
		r.Disturbances = append(r.Disturbances, Strike{string(kind), disturbances[kind]})
		if disturbances[kind] == 0 {
			r.Invalid = append(r.Invalid, "the disturbance \""+string(kind)+"\" never struck")
		}
	}
	if r.Statuses["EXECUTED"] == 0 {
		r.Invalid = append(r.Invalid, "nothing was executed")
	}
	slices.Sort(r.Invalid)
}

func (p Plan) faultNames() []string {
	var names []string
	for _, f := range p.Faults {
		names = append(names, f.Name)
	}
	return append(names, deliveredTwice, idsRepeat)
}

func (p Plan) disturbanceKinds() []Kind {
	var kinds []Kind
	for _, d := range p.Disturbances {
		if !slices.Contains(kinds, d.Kind) {
			kinds = append(kinds, d.Kind)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(string(a), string(b)) })
	return kinds
}

const countsSQL = `
	SELECT (SELECT count(DISTINCT proposal_id) FROM interlock.audit_events WHERE kind = 'execution.unresolved'),
		(SELECT count(*) FROM (SELECT proposal_id FROM interlock.verdicts WHERE claimed GROUP BY proposal_id HAVING count(*) > 1) again),
		(SELECT count(*) FROM interlock.order_attempts), (SELECT count(*) FROM interlock.order_looks),
		(SELECT count(*) FROM interlock.exchange_differences)`

func (c *campaign) countRecords(ctx context.Context, r *Report) error {
	return c.database.QueryRow(ctx, countsSQL).Scan(&r.Unresolved, &r.Reclaimed, &r.Attempts, &r.Looks, &r.Differences)
}

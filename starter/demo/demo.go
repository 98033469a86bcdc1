// Package demo shows the guarantees on a running stack, as a user would see
// them: over HTTP, through the temporal CLI, and by breaking things. It decides
// what counts as held, and asks the exchange's own ledger, never our records,
// how many orders there are. It knows no more of the system than its doors.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Guarantee is what was promised, what was done about it, and what happened.
type Guarantee struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Did  string `json:"did"`
	Saw  string `json:"saw"`
	Held bool   `json:"held"`
}

// Report is every guarantee, in the order in which they were tried.
type Report struct {
	Guarantees []Guarantee `json:"guarantees"`
}

// Held reports whether every guarantee did. An empty report shows nothing.
func (r Report) Held() bool {
	for _, g := range r.Guarantees {
		if !g.Held {
			return false
		}
	}
	return len(r.Guarantees) > 0
}

// scenario tries one guarantee. What it saw is in words; an error means that
// it could not be tried, which holds nothing.
type scenario struct {
	id, name, did string
	asks          bool // a model; not tried where it would be somebody else's
	try           func(ctx context.Context, k *kit) (saw string, held bool, err error)
}

// scenarios are tried in this order. Those that break a process come last.
func scenarios() []scenario {
	return []scenario{
		executedOnce, executedByFifty, deniedByDefault, cooledDown, notFlipped, expired,
		limitedTogether, budgetKept, scannedOnce, overriddenBySignal, signalWithoutActor, forgottenByTemporal,
		keysApart, foreignKeyRefused, halted, replyLost, workerKilled, auditHolds,
	}
}

// scenarioTimeout bounds one scenario. The longest waits for an activity's time-out
// and then for the looks.
const scenarioTimeout = 10 * time.Minute

// Run tries every guarantee on the stack. Progress gets a line for each. Every
// guarantee has a user of its own, so that they do not disturb each other.
func Run(ctx context.Context, s Stack, progress io.Writer) (Report, error) {
	k, err := newKit(ctx, s)
	if err != nil {
		return Report{}, err
	}
	defer k.close()
	report := Report{Guarantees: []Guarantee{}}
	for _, c := range scenarios() {
		if c.asks && s.Analyst == "" {
			continue
		}
		began := time.Now()
		g := k.try(ctx, c)
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		fmt.Fprintf(progress, "%-24s %-8s %5.1fs\n", g.ID, verdict(g.Held), time.Since(began).Seconds())
		report.Guarantees = append(report.Guarantees, g)
	}
	return report, nil
}

func verdict(held bool) string {
	if held {
		return "held"
	}
	return "NOT HELD"
}

func (k *kit) try(ctx context.Context, c scenario) Guarantee {
	ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
	defer cancel()
	g := Guarantee{ID: c.id, Name: c.name, Did: c.did}
	saw, held, err := c.try(ctx, k)
	if err != nil {
		g.Saw = "could not be tried: " + err.Error()
		if saw != "" {
			g.Saw = saw + "; then " + err.Error()
		}
		return g
	}
	g.Saw, g.Held = saw, held
	return g
}

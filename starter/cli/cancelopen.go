package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// cancelPoll is how often a halt looks for what the orders workers did.
const cancelPoll = 250 * time.Millisecond

// haltReport is what a halt with --cancel-open prints.
type haltReport struct {
	States      []postgres.Control        `json:"states"`
	CancelOpens []postgres.CancelOpenView `json:"cancelOpens"`
	Complete    bool                      `json:"complete"`
}

// awaitCancelOpen tells progress until every cancel-open in scope has ended or
// patience is over. It only watches: the workers go on without it.
func (a *app) awaitCancelOpen(ctx context.Context, store *postgres.Store, scope string, patience time.Duration) error {
	until := time.NewTimer(patience)
	defer until.Stop()
	tick := time.NewTicker(cancelPoll)
	defer tick.Stop()
	said := map[string]string{}
	for {
		views, err := store.CancelOpens(ctx, scope)
		if err != nil {
			return err
		}
		if a.tellCancelOpens(said, views); !slices.ContainsFunc(views, postgres.CancelOpenView.UnderWay) {
			return a.showCancelOpens(ctx, store, views)
		}
		select {
		case <-tick.C:
			continue
		case <-until.C:
		case <-ctx.Done():
		}
		// Not ctx: what was reached is shown also after Ctrl-C.
		return a.showCancelOpens(context.WithoutCancel(ctx), store, views)
	}
}

func complete(views []postgres.CancelOpenView) bool {
	for _, v := range views {
		if v.CompletedAt == nil {
			return false
		}
	}
	return true
}

// tellCancelOpens says on stderr what has changed.
func (a *app) tellCancelOpens(said map[string]string, views []postgres.CancelOpenView) {
	for _, v := range views {
		if line := progressOf(v); said[v.AccountID] != line {
			said[v.AccountID] = line
			fmt.Fprintln(a.progress, line)
		}
	}
}

func progressOf(v postgres.CancelOpenView) string {
	return fmt.Sprintf("account %s: %s", v.AccountID, strings.Join(append(counts(v), stage(v)), ", "))
}

// counts says how many orders have each result.
func counts(v postgres.CancelOpenView) (parts []string) {
	n := map[trade.CancelResult]int{}
	for _, o := range v.Orders {
		n[o.Result]++
	}
	for _, r := range []trade.CancelResult{trade.CancelOpenCancelled, trade.CancelOpenOver, trade.CancelOpenStill, trade.CancelOpenForeign} {
		if n[r] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[r], r))
		}
	}
	return parts
}

func stage(v postgres.CancelOpenView) string {
	switch {
	case v.CompletedAt != nil:
		return "complete"
	case v.GivenUpAt != nil:
		return "given up by " + v.GivenUpBy
	case v.Worker == "":
		return "waiting for an orders worker"
	case v.LookedAt == nil:
		return "cancelling"
	}
	return fmt.Sprintf("%d in the way", len(v.Obstacles))
}

func (a *app) showCancelOpens(ctx context.Context, store *postgres.Store, views []postgres.CancelOpenView) error {
	states, err := store.TradingStates(ctx)
	if err != nil {
		return err
	}
	if a.json {
		if err := printJSON(a.out, haltReport{States: states, CancelOpens: views, Complete: complete(views)}); err != nil {
			return err
		}
	} else {
		a.printCancelOpens(views)
	}
	if complete(views) {
		return nil
	}
	return answered(exitIncomplete)
}

// printCancelOpens prints a line per order of each account and, at the end,
// complete or what is in the way.
func (a *app) printCancelOpens(views []postgres.CancelOpenView) {
	for _, v := range views {
		if len(v.Orders) > 0 {
			cancelledTable(v).print(a.out)
		}
		fmt.Fprintln(a.out, progressOf(v))
		if v.UnderWay() {
			a.printObstacles(v)
		}
	}
	if complete(views) {
		fmt.Fprintln(a.out, "complete")
	}
}

func cancelledTable(v postgres.CancelOpenView) *table {
	t := &table{header: []string{"PROPOSAL", "MARKET", "RESULT", "FILLED", "ORDER"}}
	for _, o := range v.Orders {
		proposal := o.ProposalID
		if proposal == "" {
			proposal = "-"
		}
		t.add(proposal, string(o.Market), string(o.Result), o.FilledAmount.String(), strings.TrimSpace(o.OrderID+" "+o.Detail))
	}
	return t
}

func (a *app) printObstacles(v postgres.CancelOpenView) {
	for _, o := range v.Obstacles {
		fmt.Fprintln(a.out, "  in the way: "+o.String())
	}
	if v.Worker == "" {
		fmt.Fprintf(a.out, "  in the way: no orders worker of account %s runs, or it cannot reach the database\n", v.AccountID)
	}
}

// warnOfCancelOpens shows the cancel-opens that are under way, for status.
func (a *app) warnOfCancelOpens(ctx context.Context, store *postgres.Store) error {
	views, err := store.CancelOpens(ctx, postgres.AllAccounts)
	for _, v := range views {
		if v.UnderWay() {
			fmt.Fprintf(a.out, "open orders are being cancelled since %s by %s; %s\n", clock(v.RequestedAt), v.Actor, progressOf(v))
			a.printObstacles(v)
		}
	}
	return err
}

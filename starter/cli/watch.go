package cli

import (
	"context"
	"fmt"
	"time"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// watchEvery is how often the records are read while somebody watches.
const watchEvery = time.Second

// Codes of the terminal: to the top, and clear what is below.
const redraw = "\x1b[H\x1b[J"

// watch reads again and again until it is told that the end was seen, or
// Ctrl-C. A database that is away for a while is waited for.
func (a *app) watch(ctx context.Context, read func(*postgres.Store) (over bool, err error)) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	away := ""
	for {
		over := false
		err := a.operate(ctx, func(store *postgres.Store) (err error) {
			over, err = read(store)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how one stops watching
		case err != nil && exitCode(err) != exitUnavailable, over:
			return err
		case err != nil && err.Error() != away:
			away = err.Error()
			fmt.Fprintln(a.progress, "starter: "+oneLine(away)+"; trying again")
		case err == nil:
			away = ""
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// watchList draws the list anew on a terminal; elsewhere each change is a line.
func (a *app) watchList(ctx context.Context, filter postgres.ProposalFilter) error {
	seen := map[string]string{}
	return a.watch(ctx, func(store *postgres.Store) (bool, error) {
		if onTerminal(a.out) {
			fmt.Fprint(a.out, redraw)
			return false, a.showList(ctx, store, filter)
		}
		views, err := store.Proposals(ctx, filter)
		for _, v := range views {
			a.sayChange(seen, v)
		}
		return false, err
	})
}

// watchOne follows one proposal until it is closed or has failed, and ends with
// the exit code of that.
func (a *app) watchOne(ctx context.Context, id string) error {
	seen := map[string]string{}
	var last trade.Status
	err := a.watch(ctx, func(store *postgres.Store) (bool, error) {
		v, err := store.Proposal(ctx, id)
		if err != nil {
			return false, err
		}
		a.sayChange(seen, v)
		last = v.Status
		return last.Closed() || last == trade.Failed, nil
	})
	if err != nil {
		return err
	}
	switch last {
	case trade.Failed:
		return answered(exitFailed)
	case trade.Expired, trade.Cancelled:
		return answered(exitClosed)
	}
	return nil
}

// sayChange prints a proposal when it is not as it was.
func (a *app) sayChange(seen map[string]string, v postgres.ProposalView) {
	now := fmt.Sprintf("%-12s %s", v.Status, detail(v))
	if seen[v.ID] == now {
		return
	}
	seen[v.ID] = now
	if a.json {
		_ = printJSON(a.out, v) // whoever reads may be gone
		return
	}
	fmt.Fprintf(a.out, "%s  %s  %s\n", clock(v.UpdatedAt), v.ID, now)
}

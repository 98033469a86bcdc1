package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// completion is what the shell may be offered while a key is held down.
const completion = time.Second

// complete says what the shell completes for cmd. Where no stack answers at
// once, nothing is offered and nothing is said.
func (a *app) complete(cmd *cobra.Command) {
	switch cmd.CommandPath() {
	case "starter execute", "starter override", "starter confirm", "starter cancel", "starter resolve", "starter status", "starter audit show":
		cmd.ValidArgsFunction = a.firstArg(a.proposalIDs)
	case "starter scan show", "starter scan pause", "starter scan resume", "starter scan trigger", "starter scan backfill", "starter scan delete":
		cmd.ValidArgsFunction = a.firstArg(a.jobIDs)
	case "starter notify remove", "starter notify test":
		cmd.ValidArgsFunction = a.firstArg(a.ruleNames)
	case "starter policy set", "starter audit verify":
		return // files
	default:
		if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	words := map[string][]string{
		"side": {string(trade.Buy), string(trade.Sell)}, "type": {string(trade.MarketOrder), string(trade.LimitOrder)},
		"role":   {"proposals", "orders", "scans", "api", "operator", "all"},
		"status": {"pending", "executing", "executed", "failed", "unresolved", "expired", "cancelled"},
	}
	for name, list := range words {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
		}
	}
}

type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

func (a *app) firstArg(list func(context.Context, *postgres.Store) []string) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var found []string
		if len(args) == 0 {
			ctx, cancel := context.WithTimeout(cmd.Context(), completion)
			defer cancel()
			_ = a.operate(ctx, func(store *postgres.Store) error { // without a stack there is nothing to offer
				found = list(ctx, store)
				return nil
			})
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) proposalIDs(ctx context.Context, store *postgres.Store) []string {
	const offered = 50
	list, _ := store.Proposals(ctx, postgres.ProposalFilter{Limit: offered}) // none is as good as an error here
	ids := make([]string, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	return ids
}

func (a *app) jobIDs(ctx context.Context, store *postgres.Store) []string {
	list, _ := store.ScanJobs(ctx, "") // none is as good as an error here
	ids := make([]string, len(list))
	for i, j := range list {
		ids[i] = j.ID
	}
	return ids
}

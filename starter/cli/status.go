package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

func (a *app) status() *cobra.Command {
	var filter postgres.ProposalFilter
	var status string
	var differences, watch bool
	cmd := &cobra.Command{
		Use: "status [ID]", Short: "List proposals, or show everything about one", Args: cobra.MaximumNArgs(1),
		Long: `Lists proposals, the newest first, under the trading state; or shows one with
every check's inputs, every attempt and every look. What the exchange has and
the records do not, or have otherwise, is listed too. It reads the database, so
it works with Temporal and the API down, and shows the proposals of all users;
only when the next look for an unresolved order is, Temporal must say.

With --watch a list goes on until Ctrl-C, which ends it with 0. One proposal is
watched until it is over: 0 when it is EXECUTED, 1 when it FAILED, 5 when it is
EXPIRED or CANCELLED.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			var err error
			if filter.Status, err = parseStatus(status); err != nil {
				return err
			}
			switch {
			case watch && len(args) == 1:
				return a.watchOne(ctx, args[0])
			case watch:
				return a.watchList(ctx, filter)
			case len(args) == 1:
				return a.showOne(ctx, args[0])
			}
			if differences {
				return a.operate(ctx, func(store *postgres.Store) error { return a.listDifferences(ctx, store, filter.AccountID) })
			}
			return a.operate(ctx, func(store *postgres.Store) error { return a.showList(ctx, store, filter) })
		}),
	}
	cmd.Flags().StringVar(&filter.UserID, "user", "", "only this user's")
	cmd.Flags().StringVar(&filter.AccountID, "account", "", "only this account's")
	cmd.Flags().StringVar(&status, "status", "", "only with this status, like unresolved")
	cmd.Flags().StringVar(&filter.Before, "before", "", "the page after this proposal")
	cmd.Flags().BoolVar(&differences, "differences", false, "only what differs between the exchange and the records")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on until Ctrl-C, or until the one proposal is over")
	cmd.Flags().IntVar(&filter.Limit, "limit", 20, "at most so many")
	return a.printsJSON(cmd)
}

func (a *app) showList(ctx context.Context, store *postgres.Store, filter postgres.ProposalFilter) error {
	views, err := store.Proposals(ctx, filter)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(a.out, views)
	}
	if err := a.warnOfHalts(ctx, store); err != nil {
		return err
	}
	t := &table{header: []string{"PROPOSAL", "MARKET", "SIDE", "STATUS", "DETAIL"}}
	for _, v := range views {
		t.add(v.ID, string(v.Market), string(v.Side), string(v.Status), detail(v))
	}
	t.print(a.out)
	found, err := store.Differences(ctx, filter.AccountID)
	if err == nil && len(found) > 0 {
		fmt.Fprintln(a.out)
		differencesTable(found).print(a.out)
	}
	return err
}

func (a *app) warnOfHalts(ctx context.Context, store *postgres.Store) error {
	states, err := store.TradingStates(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.State != trade.Active {
			fmt.Fprintf(a.out, "trading on %s is %s since %s by %s: %s\n", s.Scope, s.State, clock(s.ChangedAt), s.Actor, s.Reason)
		}
	}
	return a.warnOfCancelOpens(ctx, store)
}

// detail is what a person wants to know next about a proposal.
func detail(v postgres.ProposalView) string {
	switch {
	case v.Failure != nil && v.Status == trade.Failed:
		return strings.TrimSpace(string(v.Failure.Code) + " " + v.Failure.ExchangeCode)
	case v.Status == trade.Unresolved && v.Execution != nil:
		return fmt.Sprintf("attempt %d in doubt, %d looks", v.Execution.InDoubt, v.Execution.Looks)
	case v.Execution != nil && v.Status == trade.Executed:
		return fmt.Sprintf("filled %s for %s", v.Execution.FilledAmount, v.Execution.FilledAmountQuote)
	case len(v.Blocks) > 0 && v.Status == trade.Pending:
		return blockCodes(v.Blocks)
	case v.CancelledBy != "":
		return "by " + v.CancelledBy
	}
	return ""
}

func blockCodes(blocks []trade.Block) string {
	codes := make([]string, len(blocks))
	for i, b := range blocks {
		codes[i] = string(b.Code)
	}
	return strings.Join(codes, " ")
}

// parseStatus reads a status in any case; empty is every one.
func parseStatus(text string) (trade.Status, error) {
	status := trade.Status(strings.ToUpper(text))
	if text == "" || slices.Contains(trade.Statuses(), status) {
		return status, nil
	}
	names := make([]string, 0, len(trade.Statuses()))
	for _, s := range trade.Statuses() {
		names = append(names, strings.ToLower(string(s)))
	}
	return "", ends(exitUsage, fmt.Errorf("--status: %q is no status; use one of %s", text, strings.Join(names, ", ")))
}

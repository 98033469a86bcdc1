package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
)

func (a *app) budget() *cobra.Command {
	var user, account string
	show := a.printsJSON(&cobra.Command{
		Use: "show --user USER", Short: "Show what of a user's model budget is used", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.showBudget(ctx, user, account) }),
	})
	show.Flags().StringVar(&user, "user", "", "whose budget (required)")
	show.Flags().StringVar(&account, "account", "", "under the policy for this account, else INTERLOCK_ACCOUNT")
	cmd := &cobra.Command{Use: "budget", Short: "Model budgets: show, clear", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(show, a.budgetClear())
	return cmd
}

func (a *app) showBudget(ctx context.Context, user, account string) error {
	if user == "" {
		return ends(exitUsage, errors.New("--user: say whose budget"))
	}
	account, err := a.accountOr(account)
	if err != nil {
		return err
	}
	return a.operate(ctx, func(store *postgres.Store) error {
		b, err := store.Budget(ctx, user, account)
		if err != nil {
			return err
		}
		t := &table{header: []string{"ALLOWANCE", "USED", "LIMIT"}}
		t.add("calls today", fmt.Sprint(b.Used.CallsToday), b.Limits.CallsPerDay.String())
		t.add("calls in the last hour", fmt.Sprint(b.Used.CallsLastHour), b.Limits.CallsPerHour.String())
		t.add("tokens today", fmt.Sprint(b.Used.TokensToday), b.Limits.TokensPerDay.String())
		t.add("euro today", b.Used.CostToday.String(), b.Limits.CostPerDay.String())
		return a.show(b, t)
	})
}

func (a *app) budgetClear() *cobra.Command {
	var who person
	var user string
	cmd := &cobra.Command{
		Use: "clear --user USER --reason WHY", Short: "Let what was used so far no longer count", Args: cobra.NoArgs,
		Long: "Lets what a user's scans have used until now no longer count against the model\nbudget. The facts stay, and the audit says who did it and why.",
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if user == "" {
				return ends(exitUsage, errors.New("--user: say whose budget"))
			}
			if err := who.check(); err != nil {
				return err
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := a.sure(ctx, "lets the scans of %s spend a whole budget again", user); err != nil {
					return err
				}
				if err := store.ClearBudget(ctx, user, who.actor, who.reason); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "the model budget of %s begins anew\n", user)
				return nil
			})
		}),
	}
	who.flags(cmd)
	cmd.Flags().StringVar(&user, "user", "", "whose budget (required)")
	return a.asks(cmd)
}
